"""Orders of the sample shop, made one by one from the shop's seed and their number."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from json import JSONEncoder
from random import Random
from typing import Any

from jobs.shop.sample import goods, people
from jobs.shop.sample.rates import CHF_MISSING_SINCE
from jobs.shop.sample.shop import DAY_0, FIRST_ORDER_ID, Shop, date_of_day, iso_utc, moment

Order = dict[str, Any]  # a payload before it is written as JSON

# Status -> the spellings that channels send for it.
STATUSES = {
    "pending": ("pending", "Pending", " pending"),
    "paid": ("paid", "PAID", "Paid "),
    "shipped": ("shipped", "Shipped", "SHIPPED"),
    "fulfilled": ("fulfilled", "Fulfilled", " FULFILLED "),
    "cancelled": ("cancelled", "canceled", "Cancelled"),
    "refunded": ("refunded", "REFUNDED", "Refunded "),
}
_NEW = ("pending", "pending", "paid", "paid", "paid", "shipped", "cancelled")
_SETTLED = ("fulfilled",) * 14 + ("shipped", "shipped", "paid", "cancelled", "refunded", "pending")
_TOPICS = {"pending": "orders/create", "cancelled": "orders/cancelled"}
_GUESTS = 0.06
_DISCOUNTED = 0.15  # of the lines, by a tenth
END_OF_DAY = 86_399  # its last second
# Versions of an order, for its source of chance: 0 when new, 1 + day as changed on a day, and these.
_DELETION, _AGAIN, _REVISION = 60_000, 60_001, 60_002
_CENT = Decimal("0.01")
_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def order(shop: Shop, number: int) -> Order:
    """Return an order as first delivered; clean, though its status may be oddly spelled."""
    rng = shop.rng(number)
    day = shop.day_of(number)
    on, delivered = shop.date_of(number), date_of_day(day)
    created = moment(on, int(43_200 * (rng.random() + rng.random())))
    updated = created + timedelta(seconds=int(260_000 * rng.random() ** 3))
    if (delivered - on).days <= 4:
        updated = min(updated, moment(delivered, END_OF_DAY - 1))
    customer = people.person(shop, int(shop.customers(day) * rng.random() ** 2))
    currency = people.CURRENCIES.get(customer.country, "EUR")
    if currency == "CHF" and CHF_MISSING_SINCE <= on <= DAY_0:
        currency = "EUR"  # only orders of the kind `no_rate_yet` shall wait for a rate
    statuses = _SETTLED if (delivered - on).days > 7 else _NEW
    made: Order = {
        "delivery_id": delivery_id(rng),
        "topic": "orders/updated",
        "id": FIRST_ORDER_ID + number,
        "created_at": stamp(created, number),
        "updated_at": stamp(updated, number),
        "status": None,
        "currency": currency,
        "total_price": None,
        "total_discounts": None,
        "customer": {"id": customer.id, "email": customer.email},
        "shipping_address": customer.address,
        "line_items": _lines(shop, rng, shop.products(day), currency),
    }
    if rng.random() < _GUESTS:
        made["customer"] = None
    set_status(made, statuses[int(len(statuses) * rng.random())], rng)
    set_totals(made)
    return made


def version(shop: Shop, number: int, day: int) -> Order:
    """Return an order as changed on a later day: its status, and at times one line less."""
    changed = order(shop, number)
    rng = shop.rng(number, 1 + day)
    changed["delivery_id"] = delivery_id(rng)
    changed["updated_at"] = stamp(moment(date_of_day(day), int(86_400 * rng.random())), number)
    set_status(changed, _SETTLED[int(len(_SETTLED) * rng.random())], rng)
    if changed["topic"] == "orders/create":
        changed["topic"] = "orders/updated"
    if rng.random() < 0.1 and len(changed["line_items"]) > 1:
        changed["line_items"].pop()
        set_totals(changed)
    return changed


def deletion(shop: Shop, number: int, at: datetime) -> Order:
    """Return the payload that tells of an order's deletion."""
    return {
        "delivery_id": delivery_id(shop.rng(number, _DELETION)),
        "topic": "orders/delete",
        "id": FIRST_ORDER_ID + number,
        "updated_at": stamp(at, number),
        "deleted": True,
    }


def again(shop: Shop, number: int, made: Order) -> Order:
    """Return the same order under another delivery id."""
    return made | {"delivery_id": delivery_id(shop.rng(number, _AGAIN))}


def revision(shop: Shop, number: int, hours: int, status: str) -> Order:
    """Return an order as it was so many hours after its first delivery's version."""
    revised = order(shop, number)
    rng = shop.rng(number, _REVISION + hours)
    at = datetime.fromisoformat(revised["updated_at"]) + timedelta(hours=hours)
    revised |= {"delivery_id": delivery_id(rng), "updated_at": stamp(at, number)}
    set_status(revised, status, rng)
    return revised


def encode(payload: Order) -> bytes:
    """Return a payload as one line of compact UTF-8 JSON."""
    return _encode(payload).encode()


def delivery_id(rng: Random) -> str:
    """Return a random UUID (version 4) as text."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def stamp(at: datetime, number: int) -> str:
    """Return a moment as ISO 8601 text: with the shop's offset, or as UTC for one order in ten."""
    return iso_utc(at) if number % 10 == 0 else at.isoformat()


def set_status(changed: Order, status: str, rng: Random) -> None:
    """Give an order a status in one of its spellings, and the topic that goes with it."""
    spellings = STATUSES[status]
    changed["status"] = spellings[int(len(spellings) * rng.random() ** 3)]
    changed["topic"] = _TOPICS.get(status, "orders/updated")


def set_totals(changed: Order) -> None:
    """Make an order's totals those of its lines, rounded once, half up."""
    total = discounts = Decimal(0)
    for line in changed["line_items"]:
        discount = Decimal(line["total_discount"])
        total += line["quantity"] * Decimal(line["price"]) - discount
        discounts += discount
    changed["total_price"] = str(total.quantize(_CENT, ROUND_HALF_UP))
    changed["total_discounts"] = str(discounts.quantize(_CENT, ROUND_HALF_UP))


def line_item(shop: Shop, product: int, currency: str, quantity: int) -> Order:
    """Return a line of so many pieces of a product, with no discount."""
    title, price = goods.offer(shop, product, currency)
    return {
        "product_id": goods.product_id(product),
        "title": title,
        "quantity": quantity,
        "price": price,
        "total_discount": "0.00",
    }


def _lines(shop: Shop, rng: Random, products: int, currency: str) -> list[Order]:
    """Return one to four lines, each of another product; neighbours are often bought together."""
    first = int(products * rng.random() ** 2)
    chosen = {first: None}
    for _ in range(int(4 * rng.random() ** 1.5)):
        neighbour = min(first ^ 1, products - 1)
        chosen[neighbour if rng.random() < 0.4 else int(products * rng.random() ** 2)] = None
    lines = []
    for product in chosen:
        line = line_item(shop, product, currency, 1 + int(5 * rng.random() ** 4))
        if rng.random() < _DISCOUNTED:
            discount = line["quantity"] * Decimal(line["price"]) / 10
            line["total_discount"] = str(discount.quantize(_CENT, ROUND_HALF_UP))
        lines.append(line)
    return lines
