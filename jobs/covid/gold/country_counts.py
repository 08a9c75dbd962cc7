"""covid.gold.country_counts: one row per country and day, the counts as they are believed now with the population."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Mart

table = Mart(
    driving="covid.silver.country_days",
    key=("country", "day"),
    lookups={"covid.silver.countries": "country"},
    columns={
        "country": ("string", "country or region"),
        "day": ("date", "the day"),
        "population": ("bigint", "inhabitants; null where unknown"),
        "confirmed": ("bigint", "confirmed cases so far"),
        "deaths": ("bigint", "deaths so far"),
        "recovered": ("bigint", "recovered so far"),
    },
)


@table.transform
def country_counts(days: DataFrame, countries: DataFrame) -> DataFrame:
    """Add the population to each day's counts."""
    populations = F.broadcast(countries.select("country", "population"))
    return days.join(populations, on="country", how="left").select(*table.columns)


if __name__ == "__main__":
    job.main(__file__)
