"""covid.gold.country_metrics: one row per country and day, from the counts as they are believed now.

Counts are cumulative. The formulas (docs/pipelines/covid.md has their sources):
- new_x = x - x on the country's day before in the data, `days_since` days ago: 1, or more after a gap, whose days it
  then covers together; null on the first day, of which nothing says how much was new, and where either is unknown
- is_correction: one of the three new ones is negative, a count was corrected downwards; new ones are left as they are
- active = confirmed - deaths - recovered
- confirmed_per_100k, deaths_per_100k = 100,000 x count / population; null without a population
- case_fatality_pct = 100 x deaths / confirmed (the crude ratio, of cases that were found); null without cases
- new_x_avg_7d = new ones of the seven days up to this one / the days they came in: seven, but for a gap or the start
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.covid.rates import AVERAGE, EXACT, PERCENT, percent, week_average
from medallion import job
from medallion.tables import Derived

COUNTS = ("confirmed", "deaths", "recovered")
PER = 100_000

table = Derived(
    reads=("covid.gold.country_counts",),
    key=("country", "day"),
    partition={"country": "country"},
    columns={
        "country": ("string", "country or region"),
        "day": ("date", "the day"),
        "days_since": ("int", "days since the country's day before in the data; null on its first"),
        "population": ("bigint", "inhabitants; null where unknown"),
        "confirmed": ("bigint", "confirmed cases so far"),
        "deaths": ("bigint", "deaths so far"),
        "recovered": ("bigint", "recovered so far"),
        "active": ("bigint", "confirmed, neither dead nor recovered"),
        "new_confirmed": ("bigint", "confirmed since the day before in the data"),
        "new_deaths": ("bigint", "deaths since then"),
        "new_recovered": ("bigint", "recovered since then"),
        "is_correction": ("boolean", "whether one of the new ones is negative"),
        "confirmed_per_100k": (PERCENT, "confirmed cases so far per 100,000 inhabitants"),
        "deaths_per_100k": (PERCENT, "deaths so far per 100,000 inhabitants"),
        "case_fatality_pct": (PERCENT, "deaths of confirmed cases, in percent"),
        "new_confirmed_avg_7d": (AVERAGE, "confirmed a day over the seven days up to this one"),
        "new_deaths_avg_7d": (AVERAGE, "deaths a day over these"),
        "new_recovered_avg_7d": (AVERAGE, "recovered a day over these"),
    },
)


@table.transform
def country_metrics(counts: DataFrame) -> DataFrame:
    """Compare each day with the one before it, and with the population."""
    by_day = Window.partitionBy("country").orderBy("day")
    new = {f"new_{name}": F.col(name) - F.lag(name).over(by_day) for name in COUNTS}
    is_correction = F.lit(False)
    for name in new:
        is_correction = is_correction | F.coalesce(F.col(name) < 0, F.lit(False))
    return (
        counts.withColumns({"days_since": F.date_diff("day", F.lag("day").over(by_day)), **new})
        .withColumns(
            {
                "active": F.col("confirmed") - F.col("deaths") - F.col("recovered"),
                "is_correction": is_correction,
                "confirmed_per_100k": _per_100k("confirmed"),
                "deaths_per_100k": _per_100k("deaths"),
                "case_fatality_pct": percent("deaths", "confirmed"),
                **{f"{name}_avg_7d": week_average(name, ["country"]) for name in new},
            }
        )
        .select(*table.columns)
    )


def _per_100k(count: str) -> Column:
    return F.try_divide(F.col(count).cast(EXACT) * PER, F.col("population").cast(EXACT)).try_cast(PERCENT)


if __name__ == "__main__":
    job.main(__file__)
