"""The extracts of the overhead benchmark's shop: customers, products, and the ECB's exchange rates, as csv."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from math import sin
from typing import Any

from jobs.shop.sample import goods, people
from jobs.shop.sample.shop import Shop, iso_utc

DAY_0 = date(2026, 1, 28)
HISTORY_DAYS = 365
_RATES = {"USD": 1.17, "JPY": 182.0, "CZK": 24.3, "DKK": 7.47, "GBP": 0.87, "HUF": 385.0, "PLN": 4.22,
          "RON": 5.09, "SEK": 10.7, "CHF": 0.93, "NOK": 11.5, "TRY": 50.5, "AUD": 1.7, "CAD": 1.6}  # fmt: skip
_SEGMENTS = ("consumer", "consumer", "consumer", "small business", "corporate")


def customers(shop: Shop, count: int, day: int) -> bytes:
    """Return the extract; on day 1 one in a thousand has another segment, and as many are new."""
    text, writer = _extract(people.COLUMNS)
    for number in range(count + day * max(1, count // 1000)):
        one = people.person(shop, number)
        is_changed = day > 0 and number % 1000 == 3
        segment = "vip" if is_changed else _SEGMENTS[number % len(_SEGMENTS)]
        row = (
            one.id,
            one.email,
            one.first_name,
            one.last_name,
            segment,
            one.country,
            _changed_at(number, is_changed),
        )
        writer.writerow(row)
    return text.getvalue().encode()


def products(shop: Shop, count: int, day: int) -> bytes:
    """Return the extract; on day 1 four in a thousand have another price."""
    text, writer = _extract(goods.COLUMNS)
    categories = list(goods.CATEGORIES)
    for number in range(count):
        title, price = goods.offer(shop, number, "EUR")
        is_changed = day > 0 and number % 250 == 3
        category = categories[number % len(categories)]
        price = "9.99" if is_changed else price
        writer.writerow((goods.product_id(number), title, category, price, "EUR", _changed_at(number, is_changed)))
    return text.getvalue().encode()


def exchange_rates(day: int) -> bytes:
    """Return all rates on working days in the layout of the ECB's history file; day 1 adds its own."""
    lines = ["Date," + "".join(f"{currency}," for currency in _RATES)]
    for age in range(-day, HISTORY_DAYS + 10):
        on = DAY_0 - timedelta(days=age)
        if on.weekday() < 5:
            wave = [level * (1 + 0.02 * sin(on.toordinal() / 17 + ord(name[0]))) for name, level in _RATES.items()]
            lines.append(f"{on}," + "".join(f"{rate:.5g}," for rate in wave))
    return "\n".join([*lines, ""]).encode()


def _extract(columns: tuple[str, ...]) -> tuple[io.StringIO, Any]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    return text, writer


def _changed_at(number: int, is_changed: bool) -> str:
    midnight = datetime(DAY_0.year, DAY_0.month, DAY_0.day, tzinfo=UTC)
    return iso_utc(midnight + (timedelta(hours=30) if is_changed else -timedelta(minutes=number % 500_000)))
