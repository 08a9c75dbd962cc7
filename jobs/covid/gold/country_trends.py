"""covid.gold.country_trends: one row per country; where it stands on its latest day in the data.

With w the confirmed a day over the seven days up to the latest day and b those over the seven before (both as in
`covid.gold.country_metrics`, here unrounded):
- change_pct = 100 x (w - b) / b; null where b is not positive
- trend = rising where w is more than `trend_threshold_pct` percent of b above b, falling where it is more than that
  below, else steady; null where either is unknown, or b negative: corrections outweigh what was new
- peak_value = greatest seven-day average of any day, peak_day = the first such day
- doubling_days = ln 2 / s, s the slope a day of the straight line that fits ln(confirmed) over the last seven days best
  (least squares): how long confirmed cases would take to double if they went on growing so; null where they do not
  grow, or with fewer than two days with cases
"""

import math
from decimal import Decimal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.covid.rates import AVERAGE, DAYS_A_WEEK, EXACT, PERCENT
from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("covid.gold.country_metrics",),
    key=("country",),
    columns={
        "country": ("string", "country or region"),
        "latest_day": ("date", "its latest day in the data"),
        "confirmed": ("bigint", "confirmed cases up to then"),
        "deaths": ("bigint", "deaths up to then"),
        "confirmed_rank": ("int", "place among all countries by confirmed cases, from 1; equal ones share it"),
        "new_confirmed_avg_7d": (AVERAGE, "confirmed a day over the seven days up to the latest"),
        "new_confirmed_avg_7d_before": (AVERAGE, "confirmed a day over the seven days before these"),
        "change_pct": (PERCENT, "change from the latter to the former, in percent"),
        "trend": ("string", "rising, falling or steady; null where it cannot be told"),
        "peak_day": ("date", "first day with the greatest seven-day average"),
        "peak_value": (AVERAGE, "that average: confirmed a day"),
        "doubling_days": ("decimal(12,2)", "days in which confirmed cases double at the pace of the last seven"),
    },
)


@table.transform
def country_trends(metrics: DataFrame, *, trend_threshold_pct: int | float) -> DataFrame:
    """Compare each country's last week with the one before, and with its worst."""
    by_confirmed = Window.orderBy(F.desc_nulls_last("confirmed"))
    return (
        metrics.transform(_with_latest)
        .transform(_sum_weeks)
        .select(
            "country",
            "latest_day",
            "confirmed",
            "deaths",
            F.rank().over(by_confirmed).alias("confirmed_rank"),
            _a_day("new", "days").alias("new_confirmed_avg_7d"),
            _a_day("new_before", "days_before").alias("new_confirmed_avg_7d_before"),
            F.when(_base() > 0, F.try_divide(_change() * 100, _base())).try_cast(PERCENT).alias("change_pct"),
            _trend(Decimal(str(trend_threshold_pct))).alias("trend"),
            F.date_from_unix_date(-F.col("peak.days_ago")).alias("peak_day"),
            F.col("peak.value").alias("peak_value"),
            F.when(F.col("slope") > 0, math.log(2) / F.col("slope")).try_cast("decimal(12,2)").alias("doubling_days"),
        )
    )


def _with_latest(metrics: DataFrame) -> DataFrame:
    """Add each country's latest day with its counts, and how many days before it a row is."""
    latest_first = Window.partitionBy("country").orderBy(F.desc("day"))
    latest = {name: F.first(name).over(latest_first) for name in ("day", "confirmed", "deaths")}
    return metrics.withColumns({f"latest_{name}": column for name, column in latest.items()}).withColumn(
        "age", F.date_diff("latest_day", "day")
    )


def _sum_weeks(metrics: DataFrame) -> DataFrame:
    """Return one row a country: what came in its last week and in the one before, in how many days, peak and slope."""
    last = F.col("age") < DAYS_A_WEEK
    before = F.col("age").between(DAYS_A_WEEK, 2 * DAYS_A_WEEK - 1)
    days = F.when(F.col("new_confirmed").isNotNull(), F.col("days_since"))
    # Of equal averages the first day is the one that lies the most days back.
    average = F.col("new_confirmed_avg_7d")
    peak = F.struct(average.alias("value"), (-F.unix_date("day")).alias("days_ago"))
    return metrics.groupBy(
        "country", "latest_day", F.col("latest_confirmed").alias("confirmed"), F.col("latest_deaths").alias("deaths")
    ).agg(
        *_sums(last, days, ""),
        *_sums(before, days, "_before"),
        F.max(F.when(average.isNotNull(), peak)).alias("peak"),
        F.regr_slope(F.when(last, _growth()), F.unix_date("day")).alias("slope"),
    )


def _sums(week: Column, days: Column, ending: str) -> list[Column]:
    return [
        F.sum(F.when(week, F.col("new_confirmed"))).cast(EXACT).alias(f"new{ending}"),
        F.sum(F.when(week, days)).cast(EXACT).alias(f"days{ending}"),
    ]


def _growth() -> Column:
    """Return ln(confirmed) less that of the latest day, which leaves the slope as it is; null for a day without cases.

    Of small differences no digit is lost so.
    """
    latest = F.col("latest_confirmed")
    return F.log1p(F.try_divide(F.col("confirmed") - latest, latest))


def _a_day(new: str, days: str) -> Column:
    return F.try_divide(F.col(new), F.col(days)).try_cast(AVERAGE)


def _change() -> Column:
    """Return w - b, and `_base` b, both times the days of both weeks: whole numbers, which compare exactly."""
    return F.col("new") * F.col("days_before") - _base()


def _base() -> Column:
    return F.col("new_before") * F.col("days")


def _trend(threshold_pct: Decimal) -> Column:
    margin = _base() * F.lit(threshold_pct)
    change = _change() * 100
    known = F.when(change > margin, "rising").when(change < -margin, "falling").when(change.isNotNull(), "steady")
    return F.when(_base() >= 0, known)


if __name__ == "__main__":
    job.main(__file__)
