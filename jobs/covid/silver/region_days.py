"""covid.silver.region_days: one row per day of a report and region: a country, a province of it, a county of that.

The day is the one in the file's name. Names are those of jobs/covid/names.py, so that a region is the same one in all
reports; province and county are '' where a line is about the whole country or province. Counts are cumulative; blank
ones are null. Of several lines of a file for one region (under two names, or entered twice) the one with the most
confirmed cases counts, then the last. A line of a report that comes again changed replaces the one before; one that is
no longer in it stays.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.covid.fields import count_of, date_in_name, degrees, update_time
from jobs.covid.names import country_of, province_of
from medallion import job
from medallion.parse import cell, problems, unreadable
from medallion.tables import CARRIED, Silver

COUNTS = ("confirmed", "deaths", "recovered", "active")

table = Silver(
    reads="covid.bronze.daily_reports",
    key=("report_date", "country", "province", "county"),
    sequence=("_delivery", "confirmed_or_zero", "_position"),
    columns={
        "report_date": ("date", "day of the report, by its file's name"),
        "country": ("string", "country or region, by the one name it has here"),
        "province": ("string", "province or state; '' for a line of the whole country"),
        "county": ("string", "county, reported for the US; '' for a line of the whole province"),
        "fips": ("string", "FIPS code of a place in the US, with leading zeros; null where none is given"),
        "latitude": ("decimal(9,6)", "degrees north; null where unknown"),
        "longitude": ("decimal(9,6)", "degrees east; null where unknown"),
        "confirmed": ("bigint", "confirmed cases so far, presumptive ones among them; null where blank"),
        "confirmed_or_zero": ("bigint", "the same, 0 where blank: says which of a file's lines for a region counts"),
        "deaths": ("bigint", "deaths so far; null where blank"),
        "recovered": ("bigint", "recovered so far; null where blank"),
        "active": ("bigint", "active cases as reported, also negative ones; null in early layouts, which lack it"),
        "last_update": ("timestamp", "when the line was last changed at its source, UTC"),
    },
)


@table.transform
def region_days(lines: DataFrame) -> DataFrame:
    """Read each line, of whichever layout."""
    report_date = date_in_name(F.col("_landing_file"), r"(\d\d-\d\d-\d{4})\.csv", "MM-dd-yyyy")
    last_update = update_time(cell("last_update"))
    is_zero = (cell("latitude").try_cast("double") == 0) & (cell("longitude").try_cast("double") == 0)
    counts = {name: count_of(cell(name)) for name in COUNTS}
    return lines.select(
        report_date.alias("report_date"),
        country_of(cell("country")).alias("country"),
        province_of(cell("country"), cell("province")).alias("province"),
        F.coalesce(cell("county"), F.lit("")).alias("county"),
        _fips().alias("fips"),
        degrees(cell("latitude"), is_zero).alias("latitude"),
        degrees(cell("longitude"), is_zero).alias("longitude"),
        counts["confirmed"].alias("confirmed"),
        F.coalesce(counts["confirmed"], F.lit(0)).cast("bigint").alias("confirmed_or_zero"),
        *[counts[name].alias(name) for name in COUNTS[1:]],
        last_update.alias("last_update"),
        *CARRIED,
        problems(
            *[unreadable(name, cell(name), counts[name]) for name in COUNTS],
            unreadable("last_update", cell("last_update"), last_update),
        ),
    )


def _fips() -> Column:
    # A spreadsheet that took the code for a number dropped its zero, or added a decimal.
    code = F.regexp_replace(cell("fips"), r"\.0$", "")
    return F.when(F.length(code) == 4, F.lpad(code, 5, "0")).otherwise(code)


if __name__ == "__main__":
    job.main(__file__)
