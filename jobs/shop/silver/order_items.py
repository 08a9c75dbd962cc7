"""shop.silver.order_items: one row per order_id and line_number, the lines of the order as it stands.

Identical lines of an order are real and kept: a line is known by its place in the payload, from 1. Quantities
of returns are negative. Prices and amounts keep the source's scale; rounding happens once, at totals. A
discount not given is 0. A line waits for its product; a line without one (a charge, a gift wrap) needs none.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import exact_decimal, field, problems, unreadable, whole_number
from medallion.tables import CARRIED, Lookup, Silver

table = Silver(
    reads="shop.silver.orders",
    key=("order_id", "line_number"),
    parent=("order_id",),
    lookups=(Lookup("shop.silver.products", on={"product_id": "product_id"}),),
    columns={
        "order_id": ("string", "the order"),
        "line_number": ("int", "place of the line in the order's payload, from 1"),
        "product_id": ("string", "what was ordered; null for a line without a product"),
        "title": ("string", "what the line was called when it was ordered"),
        "quantity": ("bigint", "units; negative for a return, never 0"),
        "unit_price": ("decimal(12,4)", "price of one unit, in the order's currency"),
        "line_discount": (
            "decimal(12,4)",
            "discount on the line, in the order's currency; 0 where not given",
        ),
        "line_amount": ("decimal(18,4)", "quantity x unit_price - line_discount, exact, in that currency"),
    },
)


@table.transform
def order_items(orders: DataFrame) -> DataFrame:
    """Turn each line of an order into a row."""
    return (
        orders.select("order_id", *CARRIED, F.posexplode("line_items").alias("_ordinal", "line"))
        .withColumns(
            {
                "quantity": whole_number(field("line.quantity")),
                "unit_price": exact_decimal(field("line.price"), 12, 4),
                "line_discount": exact_decimal(F.coalesce(field("line.total_discount"), F.lit("0")), 12, 4),
            }
        )
        .withColumn("line_amount", _line_amount())
        .select(
            "order_id",
            (F.col("_ordinal") + 1).alias("line_number"),
            field("line.product_id").alias("product_id"),
            field("line.title").alias("title"),
            "quantity",
            "unit_price",
            "line_discount",
            "line_amount",
            *CARRIED,
            "_ordinal",
            _unreadable_fields(),
        )
    )


def _line_amount() -> Column:
    return (F.col("quantity") * F.col("unit_price") - F.col("line_discount")).try_cast("decimal(18,4)")


def _unreadable_fields() -> Column:
    is_complete = F.col("quantity").isNotNull() & F.col("unit_price").isNotNull()
    is_too_large = is_complete & F.col("line_discount").isNotNull() & F.col("line_amount").isNull()
    return problems(
        unreadable("quantity", field("line.quantity"), F.col("quantity")),
        unreadable("price", field("line.price"), F.col("unit_price")),
        unreadable("total_discount", field("line.total_discount"), F.col("line_discount")),
        F.when(is_too_large, "line_amount: too large"),
    )


if __name__ == "__main__":
    job.main(__file__)
