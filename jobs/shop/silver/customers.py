"""shop.silver.customers: one row per customer_id, as the CRM last described it.

An e-mail is trimmed and lower-cased; whether it is one is judged by the pipeline's expectations.
The CRM's segments are mapped to a closed set by SEGMENTS, a blank is `unknown`; a text that the mapping does
not know stays, for the expectation to quarantine it by its value.
Region follows the pipeline's list of countries: `Other` for countries it does not name, `Unknown` without
one.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import cell, problems, unreadable, utc_timestamp
from medallion.tables import CARRIED, Silver

SEGMENTS = {
    "consumer": ("consumer",),
    "business": ("business", "small business", "corporate"),
    "vip": ("vip",),
}

table = Silver(
    reads="shop.bronze.customers",
    key=("customer_id",),
    sequence=("updated_at", "_delivery", "_position"),
    personal=("customer_id", "email", "first_name", "last_name"),
    columns={
        "customer_id": ("string", "the CRM's id"),
        "email": ("string", "trimmed and lower-cased; null where none is known"),
        "first_name": ("string", "trimmed; null where blank"),
        "last_name": ("string", "trimmed; null where blank"),
        "segment": ("string", "consumer, business, vip or unknown"),
        "country_code": ("string", "ISO 3166-1 alpha-2; null where blank"),
        "region": ("string", "region of the country, Other or Unknown"),
        "updated_at": ("timestamp", "when the CRM last changed the customer, UTC"),
    },
)


@table.transform
def customers(lines: DataFrame, *, regions: Mapping[str, Sequence[str]]) -> DataFrame:
    """Standardise each line of an extract."""
    country = F.upper(cell("country_code"))
    named = [F.when(country.isin(list(countries)), region) for region, countries in regions.items()]
    updated_at = utc_timestamp(cell("updated_at"))
    return lines.select(
        cell("customer_id").alias("customer_id"),
        F.lower(cell("email")).alias("email"),
        cell("first_name").alias("first_name"),
        cell("last_name").alias("last_name"),
        _segment(F.lower(cell("segment"))).alias("segment"),
        country.alias("country_code"),
        F.coalesce(F.when(country.isNull(), "Unknown"), *named, F.lit("Other")).alias("region"),
        updated_at.alias("updated_at"),
        *CARRIED,
        problems(unreadable("updated_at", cell("updated_at"), updated_at)),
    )


def _segment(text: Column) -> Column:
    named = [F.when(text.isin(list(aliases)), name) for name, aliases in SEGMENTS.items()]
    return F.coalesce(*named, text, F.lit("unknown"))


if __name__ == "__main__":
    job.main(__file__)
