"""shop.silver.exchange_rates: one row per currency and day that the European Central Bank quoted it.

A currency without a quotation that day (`N/A`) has no row. The euro itself is a row, worth 1 of itself.
`rate` has 12 decimals: the smallest currency ever quoted (1.5 million to the euro) keeps 6 significant
digits. A day without a quotation of the shop's own currency cannot give rates: its rows go to quarantine.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import cell, exact_decimal, iso_date, problems, unreadable
from medallion.tables import CARRIED, Silver

BASE = "EUR"
DAY = "Date"

table = Silver(
    reads="shop.bronze.exchange_rates",
    key=("currency", "rate_date"),
    sequence=("_delivery",),
    columns={
        "currency": ("string", "ISO 4217 code"),
        "rate_date": ("date", "day of the quotation"),
        "units_per_euro": ("decimal(18,6)", "how many units of the currency one euro bought, as quoted"),
        "rate": ("decimal(24,12)", "what one unit is worth in the shop's currency, rounded half up"),
    },
)


@table.transform
def exchange_rates(days: DataFrame, *, shop_currency: str) -> DataFrame:
    """Turn each day of the file into one row a quoted currency, valued in the shop's currency."""
    day = cell(DAY)
    quotations = F.map_concat(F.create_map(F.lit(BASE), F.lit("1")), F.map_filter("fields", _is_quotation))
    shop_units = exact_decimal(F.try_element_at("quotations", F.lit(shop_currency)), 18, 6)
    units = exact_decimal(F.col("quotation"), 18, 6)
    rate = F.try_divide(shop_units, units).try_cast("decimal(24,12)")
    return (
        days.withColumn("quotations", quotations)
        .select("*", F.posexplode("quotations").alias("_ordinal", "quoted", "quotation"))
        .select(
            F.upper(F.trim("quoted")).alias("currency"),
            iso_date(day).alias("rate_date"),
            units.alias("units_per_euro"),
            rate.alias("rate"),
            *CARRIED,
            "_ordinal",
            problems(
                unreadable("rate_date", day, iso_date(day)),
                unreadable("units_per_euro", F.col("quotation"), units),
                F.when(shop_units.isNull(), f"rate: no quotation of {shop_currency} that day"),
                F.when(units.isNotNull() & shop_units.isNotNull() & rate.isNull(), "rate: not computable"),
            ),
        )
    )


def _is_quotation(header: Column, text: Column) -> Column:
    # The file ends each line with a comma, which makes a last column without a header.
    is_currency = ~F.trim(header).isin("", DAY, BASE)
    return is_currency & ~F.coalesce(F.trim(text), F.lit("")).isin("", "N/A")


if __name__ == "__main__":
    job.main(__file__)
