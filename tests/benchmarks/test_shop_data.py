import json
from collections import Counter
from typing import Any

import pytest

from benchmarks.shop_data import Data


def payloads(data: Data, day: int) -> list[str]:
    return [
        line for source, _, content in data.files(day) if source == "orders" for line in content.decode().splitlines()
    ]


def readable(lines: list[str]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


@pytest.fixture(scope="module")
def data() -> Data:
    return Data(8000)


def test_data_is_the_same_every_time() -> None:
    assert list(Data(500).files(0)) == list(Data(500).files(0))
    assert list(Data(500).files(1)) == list(Data(500).files(1))


def test_one_order_in_a_thousand_is_dirty(data: Data) -> None:
    lines = payloads(data, 0)
    orders = readable(lines)

    assert len(lines) - len(orders) == 2  # cut off
    assert sum("," in order["total_price"] for order in orders) == 2
    assert sum(order["status"] == "teleported" for order in orders) == 2
    assert sum(line["quantity"] == 0 for order in orders for line in order["line_items"]) == 2


def test_an_order_comes_to_the_sum_of_its_lines(data: Data) -> None:
    for order in readable(payloads(data, 0))[:500]:
        if "," not in order["total_price"]:
            lines = sum(
                line["quantity"] * float(line["price"]) - float(line["total_discount"]) for line in order["line_items"]
            )
            assert float(order["total_price"]) == pytest.approx(lines, abs=0.006)


def test_redeliveries_are_the_same_bytes_and_new_versions_have_new_delivery_ids(data: Data) -> None:
    lines = payloads(data, 0)
    times = Counter(lines)
    ids = Counter(order["delivery_id"] for order in readable(list(times)))

    assert sum(count - 1 for count in times.values()) == 8
    assert set(ids.values()) == {1}


def test_the_second_day_brings_new_orders_updates_and_old_payloads(data: Data) -> None:
    first = payloads(data, 0)
    second = payloads(data, 1)
    known = {order["id"]: order for order in readable(first)}
    orders = readable(second)

    assert len(second) - len(orders) == 1  # a new order, cut off
    assert len({order["id"] for order in orders} - known.keys()) == 79
    assert len(set(first) & set(second)) == 10
    newer = [o for o in orders if o["id"] in known and o["updated_at"] > known[o["id"]]["updated_at"]]
    assert len(newer) == 52
    assert any(len(o["line_items"]) < len(known[o["id"]]["line_items"]) for o in newer)


def test_versions_of_an_order_never_share_a_time_unless_they_say_the_same(data: Data) -> None:
    seen: dict[tuple[int, str], dict[str, Any]] = {}
    for order in readable([*payloads(data, 0), *payloads(data, 1)]):
        said = {key: value for key, value in order.items() if key != "delivery_id"}

        assert seen.setdefault((order["id"], order["updated_at"]), said) == said


def test_extracts_of_the_second_day_change_little(data: Data) -> None:
    first, second = ({source: content for source, _, content in data.files(day)} for day in (0, 1))

    changed = {
        source: len(set(second[source].splitlines()) - set(first[source].splitlines()))
        for source in ("customers", "products", "exchange_rates")
    }

    assert changed == {"customers": 2, "products": 1, "exchange_rates": 1}
