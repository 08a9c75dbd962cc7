from datetime import date
from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.gold.order_lines import order_lines, table

ITEMS = (
    "order_id string, line_number int, product_id string, quantity bigint, unit_price decimal(12,4), "
    "line_discount decimal(12,4), line_amount decimal(18,4)"
)
ORDERS = "order_id string, status string, order_date date, exchange_rate decimal(24,12)"
PRODUCTS = "product_id string, title string, category string"
DAY = date(2026, 1, 5)


def test_a_line_meets_order_and_product_in_the_currency_of_the_shop(spark):
    price = Decimal("10.0001")
    items = [
        ("o1", 1, "p1", 2, price, Decimal("5.0000"), Decimal("15.0002")),
        ("o1", 2, None, -1, Decimal(0), Decimal(0), Decimal(0)),
        ("o2", 1, "p1", 1, price, Decimal(0), price),
    ]

    actual = order_lines(
        spark.createDataFrame(items, ITEMS),
        spark.createDataFrame([("o1", "paid", DAY, Decimal("0.5")), ("o2", None, None, None)], ORDERS),
        spark.createDataFrame([("p1", "mug", "Kitchen")], PRODUCTS),
        sales_statuses=["paid"],
    )

    zero = Decimal(0)
    half = (Decimal("5.0001"), Decimal("10.0001"), Decimal("2.5"), Decimal("7.5001"), Decimal("24.9998"))
    expected = [
        ("o1", 1, "p1", "mug", "Kitchen", "paid", True, DAY, 2, *half),
        ("o1", 2, None, None, "Uncategorised", "paid", True, DAY, -1, zero, zero, zero, zero, None),
        ("o2", 1, "p1", "mug", "Kitchen", None, False, None, 1, None, None, None, None, zero),
    ]
    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    expected_lines = spark.createDataFrame(expected, schema)
    assert_df_equality(actual, expected_lines, ignore_nullable=True, ignore_row_order=True)
