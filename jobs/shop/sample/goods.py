"""Products of the sample shop, what they cost in a currency, and their daily extract."""

import csv
import io
from collections import Counter
from datetime import timedelta
from functools import lru_cache

from jobs.shop.sample.shop import DAY_0, Shop, date_of_day, iso_utc, moment, money

COLUMNS = ("product_id", "title", "category", "list_price", "currency", "updated_at")
# Category -> the spellings it has in the extract, the proper one first.
CATEGORIES = {
    "Home & Garden": ("Home & Garden", " home and garden", "HOME & GARDEN"),
    "Kitchen": ("Kitchen", "kitchen "),
    "Toys & Games": ("Toys & Games", "Toys and games"),
    "Stationery": ("Stationery", "STATIONERY"),
    "Hardware": ("Hardware", " hardware "),
}
_THINGS = {
    "Home & Garden": ("lantern", "planter", "cushion", "bird feeder"),
    "Kitchen": ("teapot", "mug", "bread knife", "mixing bowl"),
    "Toys & Games": ("puzzle", "kite", "chess set", "spinning top"),
    "Stationery": ("notebook", "fountain pen", "envelopes", "calendar"),
    "Hardware": ("hinge", "screws, by the piece", "door handle", "sandpaper"),
}
_LOOKS = ("white", "red", "walnut", "brass", "striped", "small", "large", "vintage", "folding", "blue")
_BY_THE_PIECE = "screws, by the piece"  # costs fractions of a cent
# What one euro's worth costs in the shop's price lists, in hundredths.
_PRICE_LISTS = {"EUR": 100, "USD": 112, "GBP": 86, "PLN": 430, "SEK": 1120, "CHF": 96}
_DAYS_BETWEEN_CHANGES = 50  # of a product's price: 2 % of them change a day


def product_id(number: int) -> str:
    """Return a product's id: P-0001 for number 0."""
    return f"P-{number + 1:04d}"


@lru_cache(maxsize=8192)
def offer(shop: Shop, number: int, currency: str) -> tuple[str, str]:
    """Return a product's title and unit price in a currency, as text with its own number of decimals."""
    title = _title(number)
    if title.endswith(_BY_THE_PIECE):
        return title, f"0.{100 + shop.chance('price', number) % 900}"
    return title, money(_cents(shop, number) * _PRICE_LISTS[currency] // 100)


def extract(shop: Shop, day: int, counts: Counter[str]) -> bytes:
    """Return all products of a day as CSV, and count the rows whose category is misspelled."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number in range(shop.products(day)):
        row = _row(shop, number, day)
        counts["clean_product" if row[2] in CATEGORIES else "category_variant"] += 1
        writer.writerow(row)
    return text.getvalue().encode()


def _row(shop: Shop, number: int, day: int) -> tuple[str, ...]:
    chance = shop.chance("product", number)
    changed = shop.changed_on("product", number, day, _DAYS_BETWEEN_CHANGES)
    on = date_of_day(changed) if changed else DAY_0 - timedelta(days=chance % 300)
    title, price = offer(shop, number, "EUR")
    if changed and not title.endswith(_BY_THE_PIECE):
        price = money(_cents(shop, number) * (101 + changed % 7) // 100)
    return (
        product_id(number),
        title,
        _spelling(shop, number),
        price,
        "EUR",
        iso_utc(moment(on, chance % 80_000)),
    )


def _category(number: int) -> str:
    return tuple(CATEGORIES)[number % len(CATEGORIES)]


def _spelling(shop: Shop, number: int) -> str:
    proper, *variants = CATEGORIES[_category(number)]
    chance = shop.chance("category", number)
    # The first product of each category is spelled another way in a shop of any size.
    is_proper = number >= len(CATEGORIES) and chance % 8 > 0
    return proper if is_proper else variants[chance // 8 % len(variants)]


def _title(number: int) -> str:
    things = _THINGS[_category(number)]
    thing = things[number // len(CATEGORIES) % len(things)]
    return f"{_LOOKS[number // 7 % len(_LOOKS)]} {thing}"


def _cents(shop: Shop, number: int) -> int:
    chance = shop.chance("price", number)
    return 100 * (2 + chance % 60) + (0, 50, 95, 99)[chance // 64 % 4]
