"""A sample shop: deterministic, dirty deliveries of any size for the demo, tests and benchmarks.

Day 0 holds 180 days of history; each later day brings a tenth as many new orders, changes to 6 %,
redeliveries, late and broken payloads. `orders` delivers events, one payload each; `customers`,
`products` and `exchange_rates` deliver full extracts, most of whose rows equal yesterday's.
What is wrong with the data stands in `DIRT`, kind by kind: all that day 0 can hold is there with 300
orders, the rest on day 1 (what comes late) and day 2 (a customer back as before). In a larger shop one
order in a thousand is of each kind.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.shop.sample import goods, people, rates
from jobs.shop.sample.dirt import DIRT, EXTRACT_DIRT, ORDER_DIRT
from jobs.shop.sample.events import payloads
from jobs.shop.sample.orders import STATUSES
from jobs.shop.sample.shop import DAY_0, Shop, date_of_day

__all__ = [
    "DAY_0", "DIRT", "EXTRACT_DIRT", "ORDER_DIRT", "STATUSES",
    "Delivery", "date_of_day", "deliveries", "ledger",
]  # fmt: skip

DELIVERY_BYTES = 48 * 1024 * 1024


@dataclass(frozen=True)
class Delivery:
    """Files that one source delivers at once."""

    source: str
    files: list[tuple[str, bytes]]  # file name, content


def deliveries(
    day: int,
    *,
    orders: int = 1000,
    seed: int = 7,
    payloads_per_file: int = 1,
    counts: Counter[str] | None = None,
) -> Iterator[Delivery]:
    """Yield a day's deliveries: three extracts, then the orders in deliveries of at most about 50 MB.

    `orders` is how many the shop has on day 0. With more than one payload a file, a file is JSON lines.
    `counts` is filled while the deliveries are taken, and then is what `ledger` returns.
    """
    if day < 0 or orders < 1 or payloads_per_file < 1:
        found = f"day {day}, {orders} orders, {payloads_per_file} payloads a file"
        raise ValueError(f"{found}; wanted a day from 0, at least one order and one payload a file")
    shop = Shop(orders, seed)
    kinds = Counter[str]() if counts is None else counts
    yield Delivery("customers", [("customers.csv", people.extract(shop, day, kinds))])
    yield Delivery("products", [("products.csv", goods.extract(shop, day, kinds))])
    yield Delivery("exchange_rates", [("eurofxref-hist.csv", rates.extract(day))])
    yield from _in_deliveries(_in_files(_counted(shop, day, kinds), payloads_per_file))


def ledger(day: int, *, orders: int = 1000, seed: int = 7) -> dict[str, int]:
    """Return how many payloads and extract rows of each kind a day's deliveries hold, the clean ones too."""
    counts = Counter[str]()
    for _ in deliveries(day, orders=orders, seed=seed, counts=counts):
        pass
    return dict(counts)


def _counted(shop: Shop, day: int, counts: Counter[str]) -> Iterator[bytes]:
    for kind, payload in payloads(shop, day):
        counts[kind] += 1
        yield payload


def _in_files(found: Iterator[bytes], payloads_per_file: int) -> Iterator[tuple[str, bytes]]:
    """Put payloads into numbered files; one of JSON lines ends early rather than outgrow a delivery."""
    number = 0
    if payloads_per_file == 1:
        for number, payload in enumerate(found, start=1):
            yield f"{number:06d}.json", payload
        return
    lines: list[bytes] = []
    size = 0
    for payload in found:
        lines.append(payload)
        size += len(payload) + 1
        if len(lines) == payloads_per_file or size >= DELIVERY_BYTES:
            number += 1
            yield f"{number:06d}.jsonl", b"\n".join([*lines, b""])
            lines, size = [], 0
    if lines:
        yield f"{number + 1:06d}.jsonl", b"\n".join([*lines, b""])


def _in_deliveries(files: Iterator[tuple[str, bytes]]) -> Iterator[Delivery]:
    held: list[tuple[str, bytes]] = []
    size = 0
    for name, content in files:
        if held and size + len(content) > DELIVERY_BYTES:
            yield Delivery("orders", held)
            held, size = [], 0
        held.append((name, content))
        size += len(content)
    if held:
        yield Delivery("orders", held)
