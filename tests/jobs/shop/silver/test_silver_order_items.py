from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.silver.order_items import order_items, table
from jobs.shop.silver.orders import LINE_ITEMS

PARENT = f"order_id string, line_items {LINE_ITEMS}, _record_id string, _delivery bigint, _position bigint"


def make_orders(spark, *lines):
    return spark.createDataFrame([("o1", list(lines), "r1", 1, 0), ("o2", None, "r2", 1, 1)], PARENT)


def test_each_line_is_a_row_and_identical_lines_are_two(spark):
    mug = ("P-1", "mug", "2", "0.0125", None)
    orders = make_orders(spark, mug, mug, (None, "gift wrap", "-1", "5", "0.50"))

    actual = order_items(orders).select(*table.columns)

    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    price, zero = Decimal("0.0125"), Decimal(0)
    expected = [
        ("o1", 1, "P-1", "mug", 2, price, zero, Decimal("0.0250")),
        ("o1", 2, "P-1", "mug", 2, price, zero, Decimal("0.0250")),
        ("o1", 3, None, "gift wrap", -1, Decimal(5), Decimal("0.5"), Decimal("-5.5")),
    ]
    assert_df_equality(actual, spark.createDataFrame(expected, schema), ignore_nullable=True)


def test_what_cannot_be_read_is_told(spark):
    orders = make_orders(
        spark,
        ("P-1", "mug", "two", "1.00", "x"),
        ("P-1", "mug", "1.5", "1.23456", None),
        ("P-1", "mug", "9000000000000000000", "99999999.0000", None),
        (None, None, None, None, None),
    )

    told = [(row["_ordinal"], row["_problems"]) for row in order_items(orders).collect()]

    assert told == [
        (0, ["quantity: cannot read 'two'", "total_discount: cannot read 'x'"]),
        (1, ["quantity: cannot read '1.5'", "price: cannot read '1.23456'"]),
        (2, ["line_amount: too large"]),
        (3, []),
    ]
