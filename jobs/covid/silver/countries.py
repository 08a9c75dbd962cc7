"""covid.silver.countries: one row per country, with its codes and population, as the lookup table last had it.

Of the lookup table only lines of whole countries are taken. A ship has neither codes nor a population.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.covid.fields import count_of
from jobs.covid.names import country_named
from medallion import job
from medallion.parse import cell, problems, unreadable
from medallion.tables import CARRIED, Silver

table = Silver(
    reads="covid.bronze.places",
    key=("country",),
    sequence=("_delivery", "_position"),
    columns={
        "country": ("string", "country or region, by the one name it has here"),
        "iso2": ("string", "ISO 3166-1 alpha-2 code"),
        "iso3": ("string", "ISO 3166-1 alpha-3 code"),
        "population": ("bigint", "inhabitants; null where unknown"),
    },
)


@table.transform
def countries(places: DataFrame) -> DataFrame:
    """Take the lines of whole countries."""
    population = count_of(cell("Population"))
    is_country = cell("Province_State").isNull() & cell("Admin2").isNull()
    return places.where(is_country).select(
        country_named(cell("Country_Region")).alias("country"),
        F.upper(cell("iso2")).alias("iso2"),
        F.upper(cell("iso3")).alias("iso3"),
        population.alias("population"),
        *CARRIED,
        problems(unreadable("population", cell("Population"), population)),
    )


if __name__ == "__main__":
    job.main(__file__)
