"""The SQL checks return nothing where all is well, and the fault where there is one."""

import re
from pathlib import Path

SHOP = Path(__file__).parents[3] / "jobs" / "shop"
HEADS = "order_id string, amount_shop decimal(12,2)"
MARTS = "order_id string, order_total decimal(12,2)"


def find(spark, check, **tables):
    """Return what a check finds in tables given as layer__table=(rows, schema)."""
    for name, (rows, schema) in tables.items():
        spark.createDataFrame(rows, schema).createOrReplaceTempView(f"shop_{name}")
    text = re.sub(r"\b(shop_\w+)\.(\w+)", r"\1__\2", (SHOP / check).read_text())
    return [tuple(row) for row in spark.sql(text).collect()]


def test_a_line_without_its_order_is_found(spark):
    found = find(
        spark,
        "silver/checks/order_items.orders_exist.sql",
        silver__order_items=([("o1", 1), ("o2", 1), (None, 2)], "order_id string, line_number int"),
        silver__orders=([("o1",), (None,)], "order_id string"),
    )

    assert sorted(found, key=str) == [("o2", 1), (None, 2)]


def test_a_day_on_which_the_euro_is_not_one_is_found(spark):
    days = [("d1", "EUR", 1), ("d1", "USD", 2), ("d2", "USD", 2), ("d3", "EUR", 2), (None, "EUR", 1)]

    found = find(
        spark,
        "silver/checks/exchange_rates.euro_is_one.sql",
        silver__exchange_rates=(days, "rate_date string, currency string, units_per_euro int"),
    )

    assert sorted(found) == [("d2", None), ("d3", 2)]


def test_an_order_that_gold_lacks_has_too_many_or_values_otherwise_is_found(spark):
    found = find(
        spark,
        "gold/checks/customer_orders.one_row_an_order.sql",
        silver__orders=([("same", None), ("lacking", None), ("other", None)], HEADS),
        gold__customer_orders=(
            [("same", None), ("extra", None), ("other", 1)],
            MARTS.replace("decimal(12,2)", "int"),
        ),
    )

    assert sorted(found) == [("extra", None, None), ("lacking", None, None), ("other", None, 1)]


def test_a_day_that_does_not_add_up_is_found(spark):
    orders = [("monday", 10), ("monday", 5), (None, 1), ("tuesday", 3)]

    found = find(
        spark,
        "gold/checks/revenue.adds_up.sql",
        gold__revenue=(
            [("monday", 2, 15), (None, 1, 1), ("tuesday", 1, 4)],
            "order_date string, orders int, revenue int",
        ),
        gold__customer_orders=(orders, "order_date string, order_total int"),
    )

    assert found == [("tuesday", 1, 1, 4, 3)]


def test_a_product_that_does_not_add_up_is_found(spark):
    lines = [
        ("p1", True, 1, 10),
        ("p1", True, 2, 5),
        ("p2", False, 1, 1),
        (None, True, 1, 1),
        ("p3", True, 1, 1),
    ]

    found = find(
        spark,
        "gold/checks/product_sales.adds_up.sql",
        gold__product_sales=([("p1", 3, 15), ("p2", 1, 1)], "product_id string, units int, revenue int"),
        gold__order_lines=(lines, "product_id string, is_sale boolean, units int, net_amount int"),
    )

    assert sorted(found) == [("p2", 1, None), ("p3", None, 1)]
