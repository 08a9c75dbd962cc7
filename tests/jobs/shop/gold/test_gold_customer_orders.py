from datetime import UTC, date, datetime
from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.gold.customer_orders import customer_orders, table

ORDERS = (
    "order_id string, customer_id string, order_date date, status string, currency string, "
    "shipping_country string, shipping_region string, total_amount decimal(10,2), amount_shop decimal(12,2), "
    "created_at timestamp"
)
CUSTOMERS = "customer_id string, segment string, region string"
ITEMS = "order_id string, product_id string, quantity bigint, line_amount decimal(18,4)"
DAY, NOON = date(2026, 1, 5), datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_an_order_meets_its_customer_and_its_lines(spark):
    def sent(order_id, customer_id, status, total):
        total = total and Decimal(total)
        return order_id, customer_id, DAY, status, "USD", "DE", "DACH", total, total and total / 2, NOON

    orders = [
        sent("o1", "c1", "paid", "3.02"),
        sent("o2", "gone", "refunded", "5.00"),
        sent("o3", None, None, None),
    ]
    items = [("o1", "p1", 1, Decimal("1.0050")), ("o1", "p1", 1, Decimal("1.0050"))]
    items += [("o1", None, 3, Decimal("1.0050")), ("o2", "p2", -2, Decimal("-5.0000"))]

    actual = customer_orders(
        spark.createDataFrame(orders, ORDERS),
        spark.createDataFrame([("c1", "vip", "Other")], CUSTOMERS),
        spark.createDataFrame(items, ITEMS),
        sales_statuses=["paid"],
    )

    def row(key, buyer, sale, counts, totals):
        status, is_sale = sale
        order_total, currency, total, calculated, is_mismatch = totals
        money = (
            order_total and Decimal(order_total),
            currency,
            total and Decimal(total),
            Decimal(calculated),
        )
        return (*key, *buyer, "DE", "DACH", status, is_sale, DAY, *counts, *money, is_mismatch, NOON)

    unknown = ("unknown", "Unknown")
    rows = [
        row(("o1", "c1"), ("vip", "Other"), ("paid", True), (1, 5), ("1.51", "USD", "3.02", "3.02", False)),
        row(("o2", "gone"), unknown, ("refunded", False), (1, -2), ("2.50", "USD", "5.00", "-5.00", True)),
        row(("o3", None), unknown, (None, False), (0, 0), (None, "USD", None, "0", True)),
    ]
    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    assert_df_equality(actual, spark.createDataFrame(rows, schema), ignore_nullable=True, ignore_row_order=True)
