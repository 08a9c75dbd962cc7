"""What the shop's webhook delivers on a day: payloads of orders, the dirty among the clean."""

from collections.abc import Callable, Iterator, Mapping

from jobs.shop.sample import dirt, orders
from jobs.shop.sample.shop import Shop, date_of_day, moment

Counted = tuple[str, bytes]  # kind of payload, payload; the kind is `clean`, `update` or one of ORDER_DIRT
_UPDATES_A_DAY = 0.06  # of the orders on day 0


def payloads(shop: Shop, day: int) -> Iterator[Counted]:
    """Yield a day's payloads in order of arrival: what is new, then changes, then what comes late."""
    for number in shop.numbers(day):
        yield from _new(shop, number)
    if day > 0:
        yield from _updates(shop, day)
        for number, kind in dirt.dirty_numbers(shop, day - 1):
            if kind in _NEXT_DAY:
                yield from _NEXT_DAY[kind](shop, number, day)


def _new(shop: Shop, number: int) -> Iterator[Counted]:
    kind = dirt.kind_of(shop, number)
    if kind in _SAME_DAY:
        yield from _SAME_DAY[kind](shop, number)
        return
    made = orders.order(shop, number)
    if kind is not None:
        dirt.spoil(shop, kind, made)
    elif made["customer"] is None:
        kind = "guest"
    # These kinds are about what follows; the first delivery is sound.
    is_sound = kind is None or kind in _NEXT_DAY
    yield "clean" if is_sound else str(kind), orders.encode(made)


def _updates(shop: Shop, day: int) -> Iterator[Counted]:
    """Change orders of earlier days, each at most once a day; the dirty ones stay as they are."""
    known = shop.numbers(day).start
    stride = known // max(1, int(shop.orders * _UPDATES_A_DAY))
    for start in range(0, known - stride + 1, stride):
        number = start + shop.chance(f"update {day}", start) % stride
        if dirt.kind_of(shop, number) is None:
            yield "update", orders.encode(orders.version(shop, number, day))


def _redelivery(shop: Shop, number: int) -> Iterator[Counted]:
    payload = orders.encode(orders.order(shop, number))
    yield "clean", payload
    yield "redelivery", payload


def _redelivery_next_day(shop: Shop, number: int, _: int) -> Iterator[Counted]:
    yield "redelivery", orders.encode(orders.order(shop, number))


def _conflict(shop: Shop, number: int) -> Iterator[Counted]:
    made = orders.order(shop, number)
    yield "clean", orders.encode(made)
    yield "conflict", orders.encode(made | {"note": "gift"})


def _truncated(shop: Shop, number: int) -> Iterator[Counted]:
    payload = orders.encode(orders.order(shop, number))
    yield "truncated", payload[: len(payload) * 2 // 3]


def _empty(shop: Shop, number: int) -> Iterator[Counted]:
    yield "clean", orders.encode(orders.order(shop, number))
    yield "empty", b""


def _array(shop: Shop, number: int) -> Iterator[Counted]:
    yield "array", b"[" + orders.encode(orders.order(shop, number)) + b"]"


def _nothing_yet(_: Shop, __: int) -> Iterator[Counted]:
    yield from ()


def _late(shop: Shop, number: int, _: int) -> Iterator[Counted]:
    yield "late", orders.encode(orders.order(shop, number))


def _stale_redelivery(shop: Shop, number: int, day: int) -> Iterator[Counted]:
    older = dirt.spoil(shop, "stale_redelivery", orders.order(shop, number))
    edited = older | {
        "delivery_id": orders.delivery_id(shop.rng(number, 1 + day)),
        "topic": "orders/updated",
        "updated_at": orders.stamp(moment(date_of_day(day), 32_400), number),
        "line_items": older["line_items"][:1],
    }
    orders.set_totals(edited)
    yield "update", orders.encode(edited)
    yield "stale_redelivery", orders.encode(orders.again(shop, number, older))


def _first_and_third(shop: Shop, number: int) -> Iterator[Counted]:
    yield "clean", orders.encode(orders.order(shop, number))
    yield "update", orders.encode(orders.revision(shop, number, 2, "shipped"))


def _second(shop: Shop, number: int, _: int) -> Iterator[Counted]:
    yield "late_middle_version", orders.encode(orders.revision(shop, number, 1, "paid"))


def _delete(shop: Shop, number: int, day: int) -> Iterator[Counted]:
    at = moment(date_of_day(day), orders.END_OF_DAY)
    yield "delete", orders.encode(orders.deletion(shop, number, at))


def _deletion_first(shop: Shop, number: int) -> Iterator[Counted]:
    at = moment(date_of_day(shop.day_of(number)), orders.END_OF_DAY)
    yield "delete_before_insert", orders.encode(orders.deletion(shop, number, at))


def _order_after(shop: Shop, number: int, _: int) -> Iterator[Counted]:
    yield "delete_before_insert", orders.encode(orders.order(shop, number))


_SAME_DAY: Mapping[str | None, Callable[[Shop, int], Iterator[Counted]]] = {
    "redelivery": _redelivery,
    "conflict": _conflict,
    "truncated": _truncated,
    "empty": _empty,
    "array": _array,
    "late": _nothing_yet,
    "late_middle_version": _first_and_third,
    "delete_before_insert": _deletion_first,
}
_NEXT_DAY: Mapping[str, Callable[[Shop, int, int], Iterator[Counted]]] = {
    "redelivery": _redelivery_next_day,
    "late": _late,
    "stale_redelivery": _stale_redelivery,
    "late_middle_version": _second,
    "delete": _delete,
    "delete_before_insert": _order_after,
}
