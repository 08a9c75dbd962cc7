"""covid.gold.reported_totals: one row per country and day of a report; what its regions add up to.

Counts that a region left blank add nothing; null where all of them did.
"""

from medallion import job
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="covid.silver.region_days",
    dimensions={"country": "country", "report_date": "report_date"},
    measures={
        "regions": Measure("count"),
        "confirmed": Measure("sum", "confirmed"),
        "deaths": Measure("sum", "deaths"),
        "recovered": Measure("sum", "recovered"),
    },
    columns={
        "country": ("string", "country or region"),
        "report_date": ("date", "day of the report"),
        "regions": ("bigint", "its regions in the report"),
        "confirmed": ("bigint", "confirmed cases so far"),
        "deaths": ("bigint", "deaths so far"),
        "recovered": ("bigint", "recovered so far"),
    },
)


if __name__ == "__main__":
    job.main(__file__)
