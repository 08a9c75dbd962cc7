"""shop.gold.order_lines: one row per order_id and line_number, in the shop's currency, with order and
product.

What every figure about products is made of. Amounts are the line's exact amounts times the order's rate,
rounded half up to 4 decimals; they are not rounded to cents, so that sums are. `is_sale` follows the order's
status as in shop.gold.customer_orders. Title and category are the catalogue's of today, not those of the day
of the order.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Mart

table = Mart(
    driving="shop.silver.order_items",
    key=("order_id", "line_number"),
    lookups={"shop.silver.orders": "order_id", "shop.silver.products": "product_id"},
    columns={
        "order_id": ("string", "the order"),
        "line_number": ("int", "place of the line in the order, from 1"),
        "product_id": ("string", "what was ordered; null for a line without a product"),
        "product_title": ("string", "the catalogue's title; null for a line without a product"),
        "category": ("string", "the catalogue's category, or Uncategorised"),
        "status": ("string", "the order's status"),
        "is_sale": ("boolean", "whether that status counts as a sale"),
        "order_date": ("date", "day of the order in the shop's zone"),
        "units": ("bigint", "quantity; negative for a return"),
        "unit_price": ("decimal(18,4)", "price of one unit before discount, in the shop's currency"),
        "gross_amount": ("decimal(18,4)", "units x unit price, in the shop's currency"),
        "discount_amount": ("decimal(18,4)", "discount on the line, in the shop's currency"),
        "net_amount": ("decimal(18,4)", "gross amount less discount, in the shop's currency"),
        "discount_pct": ("decimal(9,4)", "discount in percent of the gross amount; null where that is 0"),
    },
)


@table.transform
def order_lines(
    order_items: DataFrame, orders: DataFrame, products: DataFrame, *, sales_statuses: Sequence[str]
) -> DataFrame:
    """Bring each line together with its order and product, and convert its money."""
    heads = orders.select("order_id", "status", "order_date", "exchange_rate")
    catalogue = products.select("product_id", F.col("title").alias("product_title"), "category")
    gross_amount = F.col("line_amount") + F.col("line_discount")
    discount_pct = F.try_divide(F.col("line_discount") * 100, gross_amount)
    return (
        order_items.join(heads, on="order_id", how="left")
        .join(catalogue, on="product_id", how="left")
        .select(
            "order_id",
            "line_number",
            "product_id",
            "product_title",
            F.coalesce("category", F.lit("Uncategorised")).alias("category"),
            "status",
            F.coalesce(F.col("status").isin(list(sales_statuses)), F.lit(False)).alias("is_sale"),
            "order_date",
            F.col("quantity").alias("units"),
            _in_shop_currency(F.col("unit_price")).alias("unit_price"),
            _in_shop_currency(gross_amount).alias("gross_amount"),
            _in_shop_currency(F.col("line_discount")).alias("discount_amount"),
            _in_shop_currency(F.col("line_amount")).alias("net_amount"),
            discount_pct.try_cast("decimal(9,4)").alias("discount_pct"),
        )
    )


def _in_shop_currency(amount: Column) -> Column:
    return F.round(amount * F.col("exchange_rate"), 4).cast("decimal(18,4)")


if __name__ == "__main__":
    job.main(__file__)
