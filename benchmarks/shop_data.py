"""Data of the overhead benchmark: a shop of any size and its second day, always the same, made fast.

``python benchmarks/shop_data.py --orders 1000000 --at FOLDER`` writes ``FOLDER/day0/<source>/<file>`` and
``FOLDER/day1/...``: orders as JSON lines in files of about 50 MB, customers, products and exchange rates as
full extracts in csv, all in the formats of ``jobs/shop/sample``.

Day 0 holds all orders, a later version of 1 % of them, and 0.1 % twice, byte for byte. Day 1 holds 1 % new
orders, updates to 0.66 % (some with a line less), and some old payloads again. One order in a thousand is
dirty: cut off, a total or status that cannot be read, or a line of nothing.
"""

import argparse
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from json import JSONEncoder
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import shop_extracts
from benchmarks.shop_extracts import DAY_0, HISTORY_DAYS
from jobs.shop.sample import goods, people
from jobs.shop.sample.shop import Shop

Numbers = NDArray[np.uint64]

SEED = 7
ORDERS_A_FILE = 60_000  # about 50 MB
FIRST_ORDER_ID = 1_000_001
CURRENCIES = ("EUR", *sorted(set(people.CURRENCIES.values())))

# Versions of an order: as first sent, changed on day 0, changed on day 1; the first one sent anew on day 1.
FIRST, CHANGED, UPDATED, AGAIN = range(4)
_DIRT_EVERY, _AGAIN_EVERY, _CHANGED_EVERY = 1000, 1000, 100
_DIRT = ("truncated", "unreadable_total", "unknown_status", "zero_quantity")
_NEW = ("pending", "Pending", "paid", "PAID", "Paid ", "shipped", "cancelled")
_SETTLED = ("fulfilled",) * 14 + ("Shipped", "shipped", "paid", "canceled", "REFUNDED", "pending")
_DAY_SECONDS = 86_400
_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_TIMES = [f"T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(_DAY_SECONDS)]


class Data:
    """The deliveries of a shop of so many orders."""

    def __init__(self, orders: int) -> None:
        self.orders = orders
        self.customers = max(50, orders // 10)
        self.products = min(5000, max(40, orders // 200))
        self._shop = Shop(orders, SEED)

    def files(self, day: int) -> Iterator[tuple[str, str, bytes]]:
        """Yield source, file name and content of a day's deliveries, always in the same order."""
        yield "customers", "customers.csv", shop_extracts.customers(self._shop, self.customers, day)
        yield "products", "products.csv", shop_extracts.products(self._shop, self.products, day)
        yield "exchange_rates", "eurofxref-hist.csv", shop_extracts.exchange_rates(day)
        parts = self._day_0() if day == 0 else iter([self._day_1()])
        for number, lines in enumerate(parts, start=1):
            yield "orders", f"{number:06d}.jsonl", ("\n".join(lines) + "\n").encode()

    def _day_0(self) -> Iterator[list[str]]:
        for start in range(0, self.orders, ORDERS_A_FILE):
            numbers = np.arange(start, min(start + ORDERS_A_FILE, self.orders), dtype=np.uint64)
            lines = self._payloads(numbers, FIRST)
            lines += self._payloads(numbers[numbers % _CHANGED_EVERY == 50], CHANGED)
            lines += self._payloads(numbers[numbers % _AGAIN_EVERY == 500], FIRST)
            yield lines

    def _day_1(self) -> list[str]:
        known = np.arange(self.orders, dtype=np.uint64)
        new = np.arange(self.orders, self.orders + max(1, self.orders // 100), dtype=np.uint64)
        updates = max(1, self.orders * 66 // 10_000)
        again = known[known % _CHANGED_EVERY == 50][:: max(1, self.orders // 100 // 10)]
        return [
            *self._payloads(new, FIRST),
            *self._payloads(known[:: max(1, self.orders // updates)][:updates], UPDATED),
            *self._payloads(again, FIRST),
            *self._payloads(again, AGAIN),
        ]

    def _payloads(self, numbers: Numbers, version: int) -> list[str]:
        """Return orders in one version as JSON, one text each; what varies is drawn for all of them at once."""
        customer = (_share(numbers, 1) ** 2 * self.customers).astype(int)
        created = self._created(numbers)
        lines = 1 + (_chance(numbers, 3) % 5).astype(int)
        if version == UPDATED:
            lines = np.maximum(1, lines - (_chance(numbers, 4) % 10 == 0))
        stated = FIRST if version == AGAIN else version
        statuses = np.array(_NEW if stated == FIRST else _SETTLED)
        drawn = zip(
            numbers.tolist(),
            *(_chance(numbers, salt + 100 * version).tolist() for salt in (5, 6)),
            np.where(_chance(numbers, 10) % 16 == 0, -1, customer).tolist(),  # -1: a guest
            customer.tolist(),
            created.tolist(),
            _updated(numbers, created, version).tolist(),
            statuses[_chance(numbers, 7 + 100 * stated) % len(statuses)].tolist(),
            lines.tolist(),
            *(column.tolist() for column in self._draw_lines(numbers)),
            strict=True,
        )
        is_dirty = stated == FIRST
        return [self._payload(order, is_dirty) for order in drawn]

    def _payload(self, drawn: tuple[Any, ...], is_dirty: bool) -> str:
        number, left, right, buyer, home, created, updated, status, lines, products, pieces, discounts = drawn
        address, currency = self._address(home)
        taken = total = 0  # cents, thousandths
        parts = []
        for product, quantity, is_discounted in zip(products[:lines], pieces, discounts, strict=False):
            head, tail, thousandths = self._line(product, currency)
            off = (quantity * thousandths + 50) // 100 if is_discounted else 0
            taken += off
            total += quantity * thousandths - 10 * off
            parts.append(f'{head}{quantity}{tail}{off // 100}.{off % 100:02d}"}}')
        total = (total + 5) // 10
        price = f"{total // 100}.{total % 100:02d}"
        kind = _DIRT[number // _DIRT_EVERY % len(_DIRT)] if is_dirty and number % _DIRT_EVERY == 7 else ""
        if kind == "unreadable_total":
            price = price.replace(".", ",")
        elif kind == "unknown_status":
            status = "teleported"
        elif kind == "zero_quantity":
            parts.append(f'{head}0{tail}0.00"}}')
        digits = f"{left:016x}{right:016x}"
        text = (
            f'{{"delivery_id":"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}",'
            f'"topic":"orders/updated","id":{FIRST_ORDER_ID + number},"created_at":"{_stamp(created, number)}",'
            f'"updated_at":"{_stamp(updated, number)}","status":"{status}","currency":"{currency}",'
            f'"total_price":"{price}","total_discounts":"{taken // 100}.{taken % 100:02d}",'
            f'"customer":{self._customer(buyer)},"shipping_address":{address},'
            f'"line_items":[{",".join(parts)}]}}'
        )
        return text[: len(text) * 2 // 3] if kind == "truncated" else text

    def _created(self, numbers: Numbers) -> NDArray[np.int64]:
        """Return when orders were placed, in seconds since 1970: over a year, more of them lately, or on day 1."""
        share = np.minimum((numbers + 0.5) / self.orders, 1)
        days = np.where(numbers < self.orders, (HISTORY_DAYS * share**0.8).astype(int), HISTORY_DAYS)
        first = (DAY_0 - timedelta(days=HISTORY_DAYS - 1)).toordinal() - date(1970, 1, 1).toordinal()
        return (first + days) * _DAY_SECONDS + 6 * 3600 + (_chance(numbers, 2) % (15 * 3600)).astype(np.int64)

    def _draw_lines(self, numbers: Numbers) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return products, quantities and whether there is a discount, five columns wide."""
        at = (numbers[:, None] * np.uint64(5) + np.arange(5, dtype=np.uint64)).astype(np.uint64)
        products = (_share(at, 11) ** 2 * self.products).astype(int)
        for before, after in pairwise(range(5)):  # neighbours are often bought together
            is_neighbour = _chance(at[:, after], 12) % 10 < 4
            products[:, after] = np.where(
                is_neighbour, np.minimum(products[:, before] ^ 1, self.products - 1), products[:, after]
            )
        return products, 1 + (_share(at, 13) ** 4 * 5).astype(int), _chance(at, 14) % 20 < 3

    @cache  # noqa: B019  # one shop a process
    def _customer(self, number: int) -> str:
        """Return who ordered, as JSON."""
        if number < 0:
            return "null"
        one = people.person(self._shop, number)
        return _encode({"id": one.id, "email": one.email})

    @cache  # noqa: B019  # one shop a process
    def _address(self, number: int) -> tuple[str, str]:
        """Return where a customer's orders go, as JSON, and what they are paid in."""
        one = people.person(self._shop, number)
        return _encode(one.address), people.CURRENCIES.get(one.country, "EUR")

    @cache  # noqa: B019  # one shop a process
    def _line(self, product: int, currency: str) -> tuple[str, str, int]:
        """Return what stands before and after a line's quantity, and the unit price in thousandths."""
        title, price = goods.offer(self._shop, product, currency)
        head = _encode({"product_id": goods.product_id(product), "title": title})[:-1] + ',"quantity":'
        units, _, decimals = price.partition(".")
        return head, f',"price":"{price}","total_discount":"', int(units) * 1000 + int(decimals.ljust(3, "0"))


def _chance(numbers: Numbers, salt: int) -> Numbers:
    """Return a random-looking number for each number, by splitmix64: the same on every machine."""
    mixed = numbers + np.uint64((SEED * 1000 + salt) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _share(numbers: Numbers, salt: int) -> NDArray[np.float64]:
    return _chance(numbers, salt).astype(np.float64) / 2.0**64


def _updated(numbers: Numbers, created: NDArray[np.int64], version: int) -> NDArray[np.int64]:
    """Return when a version was made; each later than the one before."""
    at = created + (_chance(numbers, 8) % 36_000).astype(np.int64)
    if version == CHANGED:
        return at + 43_200
    if version == UPDATED:
        midnight = int(datetime(DAY_0.year, DAY_0.month, DAY_0.day, tzinfo=UTC).timestamp()) + _DAY_SECONDS
        return np.maximum(at + _DAY_SECONDS, midnight + (_chance(numbers, 9) % _DAY_SECONDS).astype(np.int64))
    return at


@cache
def _day_text(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


def _stamp(seconds: int, number: int) -> str:
    """Return a moment with an offset, or as UTC for one order in ten."""
    offset, local = ("Z", seconds) if number % 10 == 0 else ("+01:00", seconds + 3600)
    return _day_text(local // _DAY_SECONDS) + _TIMES[local % _DAY_SECONDS] + offset


def write(orders: int, folder: Path) -> None:
    """Write both days below a folder; a complete one says so by the file ``complete``."""
    data = Data(orders)
    for day in (0, 1):
        for source, name, content in data.files(day):
            path = folder / f"day{day}" / source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (folder / "complete").write_text(f"{orders}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--at", type=Path, required=True)
    options = parser.parse_args()
    write(options.orders, options.at)
