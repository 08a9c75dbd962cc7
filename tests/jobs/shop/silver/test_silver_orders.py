from datetime import UTC, date, datetime
from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.silver.orders import convert, orders

GIVEN = {"shop_currency": "EUR", "zone": "Europe/Berlin", "regions": {"DACH": ["DE"]}}
ORDER = {
    "delivery_id": "d-1",
    "topic": "orders/create",
    "id": 1000001,
    "created_at": "2026-01-05T23:30:00Z",
    "updated_at": "2026-01-06T10:00:00+01:00",
    "status": " Shipped",
    "currency": "usd",
    "total_price": "23.00",
    "total_discounts": "2.00",
    "customer": {"id": 17, "email": "anna@example.com"},
    "shipping_address": {"name": "Anna", "city": "Berlin", "country_code": "de"},
    "line_items": [{"product_id": 1, "title": "mug", "quantity": 2, "price": "12.50", "total_discount": "2.00"}],
}
READ = (
    "order_id string, customer_id string, order_date date, status string, currency string, "
    "shipping_country string, shipping_region string, total_amount decimal(10,2), "
    "total_discount decimal(10,2), created_at timestamp, updated_at timestamp, is_deleted boolean, "
    "_lookup_currency string, _problems array<string>"
)
CONVERTED = (
    "currency string, order_date date, total_amount decimal(10,2), exchange_rate decimal(24,12), "
    "exchange_rate_date date"
)


def test_a_payload_is_read_and_standardised(spark, deliveries):
    guest = {**ORDER, "id": "b2", "currency": "EUR", "customer": None, "shipping_address": None}
    guest |= {"total_discounts": None, "status": None, "financial_status": "partially_refunded"}
    names = [column.split()[0] for column in READ.replace("decimal(10,2)", "decimal").split(", ")]

    actual = orders(deliveries(ORDER, guest), **GIVEN).select(*names)

    times = (datetime(2026, 1, 5, 23, 30, tzinfo=UTC), datetime(2026, 1, 6, 9, tzinfo=UTC))
    berlin, nowhere = ("DE", "DACH"), (None, "Unknown")
    day, total = date(2026, 1, 6), Decimal("23.00")
    expected = [
        ("1000001", "17", day, "fulfilled", "USD", *berlin, total, Decimal(2), *times, False, "USD", []),
        ("b2", None, day, "paid", "EUR", *nowhere, total, Decimal(0), *times, False, None, []),
    ]
    assert_df_equality(actual, spark.createDataFrame(expected, READ), ignore_nullable=True)


def test_lines_and_address_are_kept_as_sent(deliveries):
    bare = {**ORDER, "line_items": None, "shipping_address": None}

    first, second = orders(deliveries(ORDER, bare), **GIVEN).collect()

    assert [item.asDict() for item in first["line_items"]] == [
        {"product_id": "1", "title": "mug", "quantity": "2", "price": "12.50", "total_discount": "2.00"}
    ]
    assert (first["shipping_address"]["city"], first["shipping_address"]["zip"]) == ("Berlin", None)
    assert (second["line_items"], second["shipping_address"]) == (None, None)


def test_a_status_is_mapped_or_kept_to_be_judged(deliveries):
    cases = [
        ({"status": "PENDING "}, "pending"),
        ({"status": "canceled"}, "cancelled"),
        ({"status": "teleported"}, "teleported"),
        ({"cancelled_at": "2026-01-07T10:00:00Z", "financial_status": "refunded"}, "cancelled"),
        ({"financial_status": "authorized"}, "pending"),
        ({"status": None}, None),
    ]

    found = orders(deliveries(*[{"id": 1, **sent} for sent, _ in cases]), **GIVEN).collect()

    assert [row["status"] for row in found] == [status for _, status in cases]


def test_what_cannot_be_read_is_told(deliveries):
    cases = [
        ("total_price", "12,50", "total_price: cannot read '12,50'"),
        ("total_price", "19.999", "total_price: cannot read '19.999'"),
        ("created_at", "2026-01-05T23:30:00", "created_at: cannot read '2026-01-05T23:30:00'"),
        ("customer", "anna", "customer: cannot read 'anna'"),
        ("shipping_address", ["Berlin"], """shipping_address: cannot read '["Berlin"]'"""),
        ("line_items", "none", "line_items: cannot read 'none'"),
        ("line_items", [17, {"product_id": 1}], """line_items: cannot read '[17,{"product_id":1}]'"""),
    ]

    found = orders(deliveries(*[{**ORDER, field: sent} for field, sent, _ in cases]), **GIVEN).collect()

    assert [row["_problems"] for row in found] == [[told] for *_, told in cases]


def test_what_was_not_given_is_no_problem(deliveries):
    sparse = orders(deliveries({"id": 1, "total_price": None}), **GIVEN).first()

    assert (sparse["total_amount"], sparse["_problems"]) == (None, [])


def test_a_payload_that_is_no_object_is_told(deliveries):
    found = orders(deliveries('[{"id": 1}]'), **GIVEN).first()

    assert (found["order_id"], found["_problems"]) == (None, ["""payload: cannot read '[{"id": 1}]'"""])


def test_a_delete_counts_from_its_own_time_or_when_it_was_received(deliveries):
    sent = [
        {"id": 1, "deleted": True, "updated_at": "2026-01-07T10:00:00Z"},
        {"id": 2, "topic": "orders/delete"},
        {"id": 3, "topic": None, "deleted": None},
    ]

    found = orders(deliveries(*sent), **GIVEN).select("is_deleted", "updated_at").collect()

    received = datetime(2026, 2, 1, 12, tzinfo=UTC)
    times = [row["updated_at"] and row["updated_at"].astimezone(UTC) for row in found]
    assert [row["is_deleted"] for row in found] == [True, True, False]
    assert times == [datetime(2026, 1, 7, 10, tzinfo=UTC), received, None]


def test_a_total_is_converted_and_rounded_half_up(spark):
    day, friday = date(2026, 1, 10), date(2026, 1, 9)
    rows = [
        ("USD", day, Decimal("0.03"), Decimal("0.5"), friday),
        ("USD", day, Decimal("-0.03"), Decimal("0.5"), friday),
        ("EUR", day, Decimal("10.00"), None, None),
        ("USD", day, Decimal("99999999.99"), Decimal("99999"), friday),
        (None, None, None, None, None),
    ]

    actual = convert(spark.createDataFrame(rows, CONVERTED), shop_currency="EUR")

    expected = [
        (*rows[0], Decimal("0.02")),
        (*rows[1], Decimal("-0.02")),
        ("EUR", day, Decimal("10.00"), Decimal(1), day, Decimal("10.00")),
        (*rows[3], None),
        (None, None, None, None, None, None),
    ]
    assert_df_equality(actual, spark.createDataFrame(expected, f"{CONVERTED}, amount_shop decimal(12,2)"))
