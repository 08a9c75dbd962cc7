"""What is wrong with some of the sample shop's orders, kind by kind."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal

from jobs.shop.sample import orders, people
from jobs.shop.sample.orders import Order
from jobs.shop.sample.rates import LATE_DATE
from jobs.shop.sample.shop import DAY_0, Shop, moment

# Kinds met in the payloads of orders -> what they are.
ORDER_DIRT = {
    "redelivery": "a payload delivered again: same bytes, same delivery id; at once, and on the next day",
    "conflict": "a delivery id used again for other bytes",
    "truncated": "JSON cut off in the middle",
    "empty": "a payload of no bytes",
    "oversize": "a payload over 256 KiB, once a day",
    "array": "the payload inside a bare JSON array",
    "unreadable_total": "total_price with a comma: 12,50",
    "overlong_total": "total_price with three decimals: 19.999",
    "no_offset": "created_at without an offset",
    "unknown_status": "status 'teleported'",
    "unknown_currency": "currency 'DOGE'",
    "zero_quantity": "a line of no pieces",
    "return": "a refunded order of negative quantities",
    "wrong_total": "total_price that is 10.00 more than its lines",
    "guest": "an order without a customer",
    "unknown_customer": "a customer that no extract holds",
    "late_product": "a line of a product that the extract holds from day 1 on: the line waits",
    "late_rate": "an order in USD of the Friday whose rates come on day 1; Thursday's stand in until then",
    "late_rate_weekend": "an order in USD of the Saturday after it: Friday's late rates change it, too",
    "no_rate_yet": "an order in CHF, for which day 0 has no rate that is new enough: the order waits",
    "invalid_postal_code": "a postal code that lacks its last two characters",
    "missing_postal_code": "no postal code where the country's rules require one",
    "unknown_country": "country code 'XX'",
    "identical_lines": "the same line twice, both meant",
    "stale_redelivery": "the older payload of an order that has lost a line since, under a new delivery id",
    "late_middle_version": "the second of three versions, a day after the first and the third",
    "late": "an order that arrives a day late",
    "delete": "an order deleted a day after it came",
    "delete_before_insert": "a deletion that comes a day before its order",
}
# Kinds met in the rows of extracts -> what they are.
EXTRACT_DIRT = {
    "blank_email": "a customer whose e-mail is blank",
    "bad_email": "a customer whose e-mail is none",
    "shouted_email": "a customer's e-mail in upper case between blanks",
    "customer_aba": "a customer that changes on day 1 and is exactly as before from day 2 on",
    "category_variant": "a product whose category is spelled another way",
}
DIRT: Mapping[str, str] = ORDER_DIRT | EXTRACT_DIRT

_PERIOD = 1000  # orders; each kind once in so many, all of them within the first 300
_SPACING_DAY_0 = 9
_SPACING_LATER = 3  # of 30 orders, a tenth of 300
_LATER = (
    *("redelivery", "truncated", "unreadable_total", "unknown_status", "return", "wrong_total"),
    *("invalid_postal_code", "late", "stale_redelivery"),
)
_SLOTS_DAY_0 = {_SPACING_DAY_0 * (1 + place): kind for place, kind in enumerate(ORDER_DIRT)}
_SLOTS_LATER = {_SPACING_LATER * (1 + place): kind for place, kind in enumerate(_LATER)}
_OVERSIZE_BYTES = 300 * 1024


def kind_of(shop: Shop, number: int) -> str | None:
    """Return what is wrong with an order, or with the way it is delivered; None for most."""
    day = shop.day_of(number)
    place = number - shop.numbers(day).start
    kind = (_SLOTS_LATER if day else _SLOTS_DAY_0).get(place % _PERIOD)
    return None if kind == "oversize" and place >= _PERIOD else kind


def dirty_numbers(shop: Shop, day: int) -> Iterator[tuple[int, str]]:
    """Yield the dirty ones among a day's new orders, with what is wrong with each."""
    numbers = shop.numbers(day)
    for start in range(numbers.start, numbers.stop, _PERIOD):
        for place in _SLOTS_LATER if day else _SLOTS_DAY_0:
            kind = kind_of(shop, start + place) if start + place < numbers.stop else None
            if kind is not None:
                yield start + place, kind


def spoil(shop: Shop, kind: str, made: Order) -> Order:
    """Return an order with the fault of a kind in it; unchanged where the fault is in its delivery."""
    if kind in _SPOILERS:
        _SPOILERS[kind](shop, made)
    return made


def _unreadable_total(_: Shop, made: Order) -> None:
    made["total_price"] = made["total_price"].replace(".", ",")


def _overlong_total(_: Shop, made: Order) -> None:
    made["total_price"] += "9"


def _wrong_total(_: Shop, made: Order) -> None:
    made["total_price"] = str(Decimal(made["total_price"]) + 10)


def _no_offset(_: Shop, made: Order) -> None:
    made["created_at"] = made["created_at"].removesuffix("Z")[:19]


def _unknown_status(_: Shop, made: Order) -> None:
    made["status"] = "teleported"


def _unknown_currency(_: Shop, made: Order) -> None:
    made["currency"] = "DOGE"


def _zero_quantity(shop: Shop, made: Order) -> None:
    product = shop.chance("zero", made["id"]) % shop.products(0)
    made["line_items"].append(orders.line_item(shop, product, made["currency"], 0))


def _return(_: Shop, made: Order) -> None:
    for line in made["line_items"]:
        line["quantity"] = -line["quantity"]
        line["total_discount"] = "0.00"
    made["status"] = "refunded"
    made["topic"] = "orders/updated"
    orders.set_totals(made)


def _guest(_: Shop, made: Order) -> None:
    made["customer"] = None


def _unknown_customer(_: Shop, made: Order) -> None:
    made["customer"] = {"id": people.customer_id(900_000_000 + made["id"]), "email": "nobody@example.com"}


def _late_product(shop: Shop, made: Order) -> None:
    made["line_items"].append(orders.line_item(shop, shop.products(0), made["currency"], 1))
    orders.set_totals(made)


def _at_noon(made: Order, on: date, currency: str) -> None:
    made["created_at"] = orders.stamp(moment(on, 43_200), made["id"])
    made["updated_at"] = orders.stamp(moment(on, 46_800), made["id"])
    made["currency"] = currency


def _late_rate(_: Shop, made: Order) -> None:
    _at_noon(made, LATE_DATE, "USD")


def _late_rate_weekend(_: Shop, made: Order) -> None:
    _at_noon(made, LATE_DATE + timedelta(days=1), "USD")


def _no_rate_yet(_: Shop, made: Order) -> None:
    _at_noon(made, DAY_0, "CHF")


def _invalid_postal_code(_: Shop, made: Order) -> None:
    made["shipping_address"]["zip"] = made["shipping_address"]["zip"][:-2]


def _missing_postal_code(_: Shop, made: Order) -> None:
    # Ireland's rules ask for none.
    made["shipping_address"] |= {"city": "Berlin", "zip": "", "province_code": None, "country_code": "DE"}


def _unknown_country(_: Shop, made: Order) -> None:
    made["shipping_address"]["country_code"] = "XX"


def _identical_lines(_: Shop, made: Order) -> None:
    made["line_items"].append(dict(made["line_items"][0]))
    orders.set_totals(made)


def _oversize(_: Shop, made: Order) -> None:
    made["note"] = "please ring twice " * (_OVERSIZE_BYTES // 18)


def _two_lines(shop: Shop, made: Order) -> None:
    first = made["line_items"][0]
    following = int(first["product_id"].removeprefix("P-")) % shop.products(0)
    made["line_items"] = [first, orders.line_item(shop, following, made["currency"], 2)]
    orders.set_totals(made)


_SPOILERS: Mapping[str, Callable[[Shop, Order], None]] = {
    "oversize": _oversize,
    "unreadable_total": _unreadable_total,
    "overlong_total": _overlong_total,
    "no_offset": _no_offset,
    "unknown_status": _unknown_status,
    "unknown_currency": _unknown_currency,
    "zero_quantity": _zero_quantity,
    "return": _return,
    "wrong_total": _wrong_total,
    "guest": _guest,
    "unknown_customer": _unknown_customer,
    "late_product": _late_product,
    "late_rate": _late_rate,
    "late_rate_weekend": _late_rate_weekend,
    "no_rate_yet": _no_rate_yet,
    "invalid_postal_code": _invalid_postal_code,
    "missing_postal_code": _missing_postal_code,
    "unknown_country": _unknown_country,
    "identical_lines": _identical_lines,
    "stale_redelivery": _two_lines,
}
