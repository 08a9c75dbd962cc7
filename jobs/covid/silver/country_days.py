"""covid.silver.country_days: one row per country, day and time over which its counts were believed.

Each extract says anew what every day's counts are. A row holds from the date of the extract that said so (`valid_from`)
until that of the next one with that country and day (`valid_to`, null: still); an earlier belief is kept, however late
its extract comes. Counts are cumulative. The date of an extract is the one in its file's name.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.covid.fields import count_of, date_in_name
from jobs.covid.names import country_named
from medallion import job
from medallion.parse import cell, iso_date, problems, unreadable
from medallion.tables import CARRIED, Silver

COUNTS = ("confirmed", "deaths", "recovered")

table = Silver(
    reads="covid.bronze.country_series",
    key=("country", "day"),
    sequence=("published_on", "_delivery", "_position"),
    history="scd2",
    columns={
        "country": ("string", "country or region, by the one name it has here"),
        "day": ("date", "the day that the counts are of"),
        "published_on": ("date", "date of the extract, by its file's name"),
        "confirmed": ("bigint", "confirmed cases up to and on that day"),
        "deaths": ("bigint", "deaths up to and on that day; null where blank"),
        "recovered": ("bigint", "recovered up to and on that day; null where blank"),
    },
)


@table.transform
def country_days(lines: DataFrame) -> DataFrame:
    """Read each line of an extract."""
    day = iso_date(cell("Date"))
    counts = {name: count_of(cell(name.capitalize())) for name in COUNTS}
    published_on = date_in_name(F.col("_landing_file"), r"_(\d{4}-\d\d-\d\d)\.csv", "yyyy-MM-dd")
    return lines.select(
        country_named(cell("Country")).alias("country"),
        day.alias("day"),
        published_on.alias("published_on"),
        *[counts[name].alias(name) for name in COUNTS],
        *CARRIED,
        problems(
            unreadable("day", cell("Date"), day),
            *[unreadable(name, cell(name.capitalize()), counts[name]) for name in COUNTS],
        ),
    )


if __name__ == "__main__":
    job.main(__file__)
