"""shop.silver.products: one row per product_id, as the catalogue last described it.

A category is standardised by the pipeline's list of aliases, compared in lower case and trimmed; what the
list does not know, or a blank, is `Uncategorised`. A list price keeps the source's scale (up to 4 decimals).
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import cell, exact_decimal, problems, unreadable, utc_timestamp
from medallion.tables import CARRIED, Silver

table = Silver(
    reads="shop.bronze.products",
    key=("product_id",),
    sequence=("updated_at", "_delivery", "_position"),
    columns={
        "product_id": ("string", "the catalogue's id"),
        "title": ("string", "trimmed; null where blank"),
        "category": ("string", "standard name of the category, or Uncategorised"),
        "list_price": ("decimal(12,4)", "price of one unit, in currency; null where none is set"),
        "currency": ("string", "ISO 4217 code of the list price"),
        "updated_at": ("timestamp", "when the catalogue last changed the product, UTC"),
    },
)


@table.transform
def products(lines: DataFrame, *, categories: Mapping[str, Sequence[str]]) -> DataFrame:
    """Standardise each line of an extract."""
    list_price = exact_decimal(cell("list_price"), 12, 4)
    updated_at = utc_timestamp(cell("updated_at"))
    return lines.select(
        cell("product_id").alias("product_id"),
        cell("title").alias("title"),
        _standard_category(F.lower(cell("category")), categories).alias("category"),
        list_price.alias("list_price"),
        F.upper(cell("currency")).alias("currency"),
        updated_at.alias("updated_at"),
        *CARRIED,
        problems(
            unreadable("list_price", cell("list_price"), list_price),
            unreadable("updated_at", cell("updated_at"), updated_at),
        ),
    )


def _standard_category(text: Column, categories: Mapping[str, Sequence[str]]) -> Column:
    named = [
        F.when(text.isin([alias.strip().lower() for alias in (name, *aliases)]), name)
        for name, aliases in categories.items()
    ]
    return F.coalesce(*named, F.lit("Uncategorised"))


if __name__ == "__main__":
    job.main(__file__)
