"""shop.gold.revenue_trends: one row per ISO week (from Monday) in which the shop sold something.

Only sales count (the pipeline's `sales_statuses`: cancelled and refunded orders are out). All figures are in
the shop's currency, rounded half up.
- average_order_value = revenue / orders
- cumulative_revenue = revenue of this week and all before it
- week_over_week_pct = 100 x (revenue - revenue of the week before) / revenue of the week before; null where
  the week before had no sale, or revenue of 0 or less
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("shop.gold.revenue",),
    key=("week_start",),
    columns={
        "week_start": ("date", "Monday of the week"),
        "orders": ("bigint", "orders created in the week"),
        "revenue": ("decimal(22,2)", "what they come to"),
        "average_order_value": ("decimal(22,2)", "revenue an order"),
        "cumulative_revenue": ("decimal(22,2)", "revenue up to the end of the week"),
        "week_over_week_pct": ("decimal(12,2)", "change of revenue against the week before, in percent"),
    },
)


@table.transform
def revenue_trends(revenue: DataFrame, *, sales_statuses: Sequence[str]) -> DataFrame:
    """Add up the weeks and compare each with those before it."""
    # One window over all weeks: there are 52 rows a year.
    weeks = Window.orderBy("week_start")
    so_far = weeks.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return (
        revenue.where(F.col("status").isin(list(sales_statuses)))
        .groupBy(F.date_trunc("week", "order_date").cast("date").alias("week_start"))
        .agg(F.sum("orders").alias("orders"), F.sum("revenue").cast("decimal(22,2)").alias("revenue"))
        .withColumn("revenue_before", F.when(_follows(weeks), F.lag("revenue").over(weeks)))
        .select(
            "week_start",
            "orders",
            "revenue",
            F.try_divide("revenue", "orders").cast("decimal(22,2)").alias("average_order_value"),
            F.sum("revenue").over(so_far).cast("decimal(22,2)").alias("cumulative_revenue"),
            _change_pct().alias("week_over_week_pct"),
        )
    )


def _follows(weeks: WindowSpec) -> Column:
    return F.lag("week_start").over(weeks) == F.date_sub("week_start", 7)


def _change_pct() -> Column:
    before = F.when(F.col("revenue_before") > 0, F.col("revenue_before"))
    return F.try_divide((F.col("revenue") - before) * 100, before).try_cast("decimal(12,2)")


if __name__ == "__main__":
    job.main(__file__)
