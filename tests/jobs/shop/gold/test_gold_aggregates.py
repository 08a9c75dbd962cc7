from datetime import date
from decimal import Decimal

from chispa import assert_df_equality
from pyspark.sql import functions as F

from jobs.shop.gold import customer_sales, product_sales, revenue

FIRST, LAST = date(2026, 1, 5), date(2026, 1, 9)


def add_up(table, rows):
    dimensions = [F.expr(sql).alias(name) for name, sql in table.dimensions.items()]
    measures = [F.expr(measure.sql).alias(name) for name, measure in table.measures.items()]
    return rows.where(table.where or "true").groupBy(*dimensions).agg(*measures)


def assert_adds_up(spark, table, rows, expected):
    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    wanted = spark.createDataFrame(expected, schema)
    assert_df_equality(add_up(table, rows), wanted, ignore_nullable=True, ignore_row_order=True)


def test_revenue_keeps_every_status_and_counts_guests_as_orders_only(spark):
    orders = [
        (FIRST, "DACH", "paid", "vip", "c1", Decimal("10.10")),
        (FIRST, "DACH", "paid", "vip", "c1", Decimal("-0.10")),
        (FIRST, "Unknown", "cancelled", "unknown", None, Decimal(5)),
        (None, None, None, None, None, None),
    ]
    names = "order_date date, shipping_region string, status string, segment string, customer_id string"

    rows = spark.createDataFrame(orders, f"{names}, order_total decimal(12,2)")

    expected = [
        (FIRST, "DACH", "paid", "vip", 2, 1, Decimal(10)),
        (FIRST, "Unknown", "cancelled", "unknown", 1, 0, Decimal(5)),
        (None, None, None, None, 1, 0, None),
    ]
    assert_adds_up(spark, revenue.table, rows, expected)


def test_customer_sales_leave_out_guests_and_what_is_no_sale(spark):
    orders = [
        ("c1", True, LAST, Decimal(10)),
        ("c1", True, FIRST, Decimal(20)),
        ("c1", False, FIRST, Decimal(40)),
        (None, True, FIRST, Decimal(80)),
    ]

    names = "customer_id string, is_sale boolean, order_date date, order_total decimal(12,2)"

    rows = spark.createDataFrame(orders, names)

    assert_adds_up(spark, customer_sales.table, rows, [("c1", 2, FIRST, LAST, Decimal(30))])


def test_product_sales_leave_out_lines_without_product_and_what_is_no_sale(spark):
    def line(key, units, gross, discount, pct):
        order_id, product_id, is_sale = key
        gross, discount = Decimal(gross), Decimal(discount)
        amounts = (gross, discount, gross - discount, pct and Decimal(pct))
        return (order_id, product_id, "Kitchen", None, is_sale, units, *amounts)

    lines = [
        line(("o1", "p1", True), 2, "20", "5", "25"),
        line(("o1", "p1", True), 1, "10", "0", "0"),
        line(("o2", "p1", True), -1, "0", "0", None),
        line(("o3", "p1", False), 9, "90", "0", "0"),
        line(("o3", None, True), 9, "90", "0", "0"),
    ]
    names = "order_id string, product_id string, category string, product_title string, is_sale boolean"
    amounts = ", ".join(f"{name} decimal(18,4)" for name in ("gross_amount", "discount_amount", "net_amount"))

    rows = spark.createDataFrame(lines, f"{names}, units bigint, {amounts}, discount_pct decimal(9,4)")

    expected = [("p1", "Kitchen", None, 2, 3, 2, *map(Decimal, (30, 5, 25, 0, 25)))]
    assert_adds_up(spark, product_sales.table, rows, expected)
