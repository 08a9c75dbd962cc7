"""shop.silver.addresses: one row per order_id that has a shipping address, normalised and judged.

Judged by the country's own rules ([address_rules](../address_rules.py)): required fields, names of its areas (states,
provinces) and, where they are listed, of an area's cities; postal codes by how those of the country look, and how those
of the area and the city begin. An invalid address is kept, with its problems: an order cannot be undone for its
postal code. Fields that the country's addresses do not have (a province in Germany) are null here.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.shop import address_rules
from jobs.shop.address_rules import FIELDS
from medallion import job
from medallion.parse import blank_to_null, compact, field
from medallion.tables import CARRIED, Silver

table = Silver(
    reads="shop.silver.orders",
    key=("order_id",),
    parent=("order_id",),
    columns={
        "order_id": ("string", "the order"),
        "name": ("string", "who it is sent to, trimmed"),
        "street": ("string", "street address, its lines joined by a comma"),
        "city": (
            "string",
            "by the key its country uses where that lists cities; upper case where the post asks for it",
        ),
        "postal_code": ("string", "upper case where the country's post asks for it"),
        "area": ("string", "state or province by the key its country uses; as sent where it is unknown"),
        "country_code": ("string", "ISO 3166-1 alpha-2, upper case"),
        "is_valid": ("boolean", "whether the country's rules find nothing wrong"),
        "problems": (
            "array<string>",
            "what they find wrong, as field: required, invalid, not of the area or not of the city",
        ),
    },
)


@table.transform
def addresses(orders: DataFrame) -> DataFrame:
    """Normalise and judge each shipping address by the rules of its country."""
    # As Arrow tables the rules reach Spark without a Python worker.
    session = orders.sparkSession
    countries, areas = (
        F.broadcast(session.createDataFrame(one)) for one in (address_rules.countries(), address_rules.areas())
    )
    return (
        orders.where(F.col("shipping_address").isNotNull())
        .withColumn("sent", F.col("shipping_address"))
        .withColumn("country_code", F.upper(field("sent.country_code")))
        .join(countries, F.col("country_code") == F.col("rule_country"), how="left")
        .withColumns(_normalised())
        .join(
            areas, (F.col("country_code") == F.col("area_country")) & (F.col("known_area") == F.col("area_key")), "left"
        )
        .withColumn("known_city", F.try_element_at("cities", F.lower("city")))
        .withColumn("problems", _problems())
        .select(
            "order_id",
            field("sent.name").alias("name"),
            "street",
            F.coalesce("known_city", "city").alias("city"),
            "postal_code",
            F.coalesce("known_area", "area").alias("area"),
            "country_code",
            (F.size("problems") == 0).alias("is_valid"),
            "problems",
            *CARRIED,
        )
    )


def _normalised() -> dict[str, Column]:
    street = blank_to_null(F.concat_ws(", ", field("sent.address1"), field("sent.address2")))
    known = [F.try_element_at("areas", F.lower(field(f"sent.{name}"))) for name in ("province_code", "province")]
    return {
        "street": _written("street", street),
        "city": _written("city", field("sent.city")),
        "postal_code": _written("postal_code", field("sent.zip")),
        "area": _written("area", F.coalesce(field("sent.province_code"), field("sent.province"))),
        "known_area": F.coalesce(*known),
    }


def _written(name: str, text: Column) -> Column:
    """Return text as the country writes the field: null where it has none, upper case where it wants that."""
    written = F.when(F.array_contains("upper", name), F.upper(text)).otherwise(text)
    return F.when(F.coalesce(F.array_contains("allowed", name), F.lit(True)), written)


def _problems() -> Column:
    known_country = F.col("rule_country").isNotNull()
    looks_right = F.rlike("postal_code", F.col("postal_code_pattern"))
    city_pattern = F.try_element_at("city_patterns", F.col("known_city"))
    found = [
        F.when(F.col("country_code").isNull(), "country_code: required"),
        F.when(F.col("country_code").isNotNull() & ~known_country, "country_code: invalid"),
        *[F.when(F.array_contains("required", name) & F.col(name).isNull(), f"{name}: required") for name in FIELDS],
        F.when(~looks_right, "postal_code: invalid")
        .when(~F.rlike("postal_code", F.col("area_pattern")), "postal_code: not of the area")
        .when(~F.rlike("postal_code", city_pattern), "postal_code: not of the city"),
        F.when(_is_unlisted("area", "areas"), "area: invalid"),
        F.when(_is_unlisted("city", "cities"), "city: not of the area"),
    ]
    return compact(*found)


def _is_unlisted(name: str, listed: str) -> Column:
    return (F.size(listed) > 0) & F.col(name).isNotNull() & F.col(f"known_{name}").isNull()


if __name__ == "__main__":
    job.main(__file__)
