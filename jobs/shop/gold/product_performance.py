"""shop.gold.product_performance: one row per product sold: how it sells, and its rank in its category.

Sales only, in the shop's currency, rounded half up.
- average_price = revenue / units: what a unit brought after discounts; null where returns leave no unit
- average_discount_pct = 100 x discounts / gross amount: every unit of money weighs the same, not every line
- category_rank = place by revenue within the category, from 1; equal revenue shares a place and the next is
  left out
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("shop.gold.product_sales",),
    key=("product_id",),
    partition={"category": "category"},
    columns={
        "product_id": ("string", "the product"),
        "product_title": ("string", "its title in the catalogue"),
        "category": ("string", "its category, or Uncategorised"),
        "orders": ("bigint", "different orders it is on"),
        "units": ("bigint", "units sold, returns taken off"),
        "revenue": ("decimal(28,2)", "what they brought after discounts"),
        "average_price": ("decimal(28,4)", "revenue a unit"),
        "min_discount_pct": ("decimal(9,4)", "smallest discount on a line, in percent"),
        "max_discount_pct": ("decimal(9,4)", "greatest discount on a line, in percent"),
        "average_discount_pct": ("decimal(9,4)", "discount on the whole, in percent"),
        "category_rank": ("int", "place by revenue within the category"),
    },
)


@table.transform
def product_performance(sales: DataFrame) -> DataFrame:
    """Derive prices, discounts and ranks from a product's sums."""
    best_first = Window.partitionBy("category").orderBy(F.desc("revenue"))
    average_discount_pct = F.try_divide(F.col("discount_amount") * 100, "gross_amount")
    return sales.select(
        "product_id",
        "product_title",
        "category",
        "orders",
        "units",
        F.round("revenue", 2).cast("decimal(28,2)").alias("revenue"),
        F.try_divide("revenue", "units").cast("decimal(28,4)").alias("average_price"),
        "min_discount_pct",
        "max_discount_pct",
        average_discount_pct.try_cast("decimal(9,4)").alias("average_discount_pct"),
        F.rank().over(best_first).alias("category_rank"),
    )


if __name__ == "__main__":
    job.main(__file__)
