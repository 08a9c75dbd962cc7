"""covid.gold.global_summary: one row per day; the countries of that day together.

Counts are what the countries with that day in the data add up to. New ones are the sum of the countries' own, so that
a country whose day is missing takes nothing off: its new ones come with its next day. Averages and case fatality as in
`covid.gold.country_metrics`, from the sums.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.covid.rates import AVERAGE, PERCENT, percent, week_average
from medallion import job
from medallion.tables import Derived

SUMMED = ("confirmed", "deaths", "recovered", "active", "new_confirmed", "new_deaths", "new_recovered")

table = Derived(
    reads=("covid.gold.country_metrics",),
    key=("day",),
    columns={
        "day": ("date", "the day"),
        "days_since": ("int", "days since the day before in the data; null on the first"),
        "countries_reporting": ("bigint", "countries with that day in the data"),
        "countries_affected": ("bigint", "of them, those with a confirmed case so far"),
        "confirmed": ("bigint", "confirmed cases so far"),
        "deaths": ("bigint", "deaths so far"),
        "recovered": ("bigint", "recovered so far"),
        "active": ("bigint", "confirmed, neither dead nor recovered"),
        "new_confirmed": ("bigint", "confirmed since each country's day before; null on the first day"),
        "new_deaths": ("bigint", "deaths since then"),
        "new_recovered": ("bigint", "recovered since then"),
        "case_fatality_pct": (PERCENT, "deaths of confirmed cases, in percent"),
        "new_confirmed_avg_7d": (AVERAGE, "confirmed a day over the seven days up to this one"),
        "new_deaths_avg_7d": (AVERAGE, "deaths a day over these"),
        "new_recovered_avg_7d": (AVERAGE, "recovered a day over these"),
    },
)


@table.transform
def global_summary(metrics: DataFrame) -> DataFrame:
    """Add up the countries, day by day."""
    # One window over all days: there are 365 rows a year.
    by_day = Window.orderBy("day")
    return (
        metrics.groupBy("day")
        .agg(
            F.count("*").alias("countries_reporting"),
            F.count_if(F.col("confirmed") > 0).alias("countries_affected"),
            *[F.sum(name).alias(name) for name in SUMMED],
        )
        .withColumn("days_since", F.date_diff("day", F.lag("day").over(by_day)))
        .withColumns(
            {
                "case_fatality_pct": percent("deaths", "confirmed"),
                **{f"{name}_avg_7d": week_average(name) for name in SUMMED if name.startswith("new_")},
            }
        )
        .select(*table.columns)
    )


if __name__ == "__main__":
    job.main(__file__)
