"""shop.gold.customer_lifetime_value: one row per customer who bought something, as of the run's date.

Sales only, in the shop's currency, rounded half up. The formulas:
- tenure_days = days from the first order to the run's date, at least 0
- average_order_value = revenue / orders
- orders_per_year = orders x 365 / tenure_days, with at least MIN_TENURE_DAYS: two orders in the first week
  are not a hundred a year
- projected_value = average_order_value x orders_per_year, expected over the next 365 days if the customer
  goes on as before; 0 for one without an order within ACTIVE_DAYS before the run's date, or whose returns
  outweigh the rest
- lifetime_value = revenue + projected_value
- tier = gold or silver from the pipeline's `tier_thresholds` on lifetime_value upwards, else bronze
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

MIN_TENURE_DAYS = 90
ACTIVE_DAYS = 365
DAYS_A_YEAR = 365

table = Derived(
    reads=("shop.gold.customer_sales",),
    key=("customer_id",),
    columns={
        "customer_id": ("string", "the customer"),
        "orders": ("bigint", "orders so far, returns among them"),
        "first_order_date": ("date", "day of the first one, in the shop's zone"),
        "last_order_date": ("date", "day of the last one, in the shop's zone"),
        "tenure_days": ("int", "days from the first order to the run's date"),
        "revenue": ("decimal(22,2)", "what the orders come to"),
        "average_order_value": ("decimal(22,2)", "revenue an order"),
        "orders_per_year": ("decimal(12,4)", "how often the customer orders"),
        "projected_value": ("decimal(22,2)", "revenue expected over the 365 days after the run's date"),
        "lifetime_value": ("decimal(23,2)", "revenue so far and projected value"),
        "tier": ("string", "gold, silver or bronze"),
    },
)


@table.transform
def customer_lifetime_value(
    sales: DataFrame, *, run_date: date, tier_thresholds: Mapping[str, int | float | str]
) -> DataFrame:
    """Project each customer's revenue and put the customer in a tier."""
    tenure_days = F.greatest(F.date_diff(F.lit(run_date), "first_order_date"), F.lit(0))
    counted_days = F.greatest(F.col("tenure_days"), F.lit(MIN_TENURE_DAYS)).cast("decimal(10,0)")
    orders_per_year = F.try_divide(F.col("orders") * DAYS_A_YEAR, counted_days).try_cast("decimal(12,4)")
    return (
        sales.withColumn("tenure_days", tenure_days)
        .withColumn("orders_per_year", orders_per_year)
        .withColumn("projected_value", _projected_value(run_date))
        .withColumn("lifetime_value", F.col("revenue") + F.col("projected_value"))
        .select(
            "customer_id",
            "orders",
            "first_order_date",
            "last_order_date",
            "tenure_days",
            "revenue",
            F.try_divide("revenue", "orders").cast("decimal(22,2)").alias("average_order_value"),
            "orders_per_year",
            "projected_value",
            "lifetime_value",
            _tier(tier_thresholds).alias("tier"),
        )
    )


def _projected_value(run_date: date) -> Column:
    """Return average order value x orders a year, from the revenue itself: the average is rounded."""
    is_active = F.date_diff(F.lit(run_date), "last_order_date") <= ACTIVE_DAYS
    a_year = F.try_divide("revenue", "orders") * F.col("orders_per_year")
    return F.when(is_active & (F.col("revenue") > 0), a_year).otherwise(F.lit(0)).cast("decimal(22,2)")


def _tier(thresholds: Mapping[str, int | float | str]) -> Column:
    value = F.col("lifetime_value")
    gold, silver = (F.lit(Decimal(str(thresholds[name]))) for name in ("gold", "silver"))
    return F.when(value >= gold, "gold").when(value >= silver, "silver").otherwise("bronze")


if __name__ == "__main__":
    job.main(__file__)
