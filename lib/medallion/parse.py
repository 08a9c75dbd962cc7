"""Reading text into types without losing or rounding anything: what cannot be read is told, not nulled."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"


def field(path: str) -> Column:
    """Return the text of a column, or of a field inside one (``sent.id``), trimmed; null where nothing is left."""
    return blank_to_null(F.col(path))


def cell(name: str) -> Column:
    """Return a structured record's cell by its column, trimmed; null where blank or not in its file."""
    return blank_to_null(F.try_element_at("fields", F.lit(name)))


def json_object(path: str) -> Column:
    """Return a column's text where that is a JSON object; null for any other JSON value."""
    return F.when(F.ltrim(path).startswith("{"), F.col(path))


def exact_decimal(text: Column, precision: int, scale: int) -> Column:
    """Return text as decimal(precision, scale); null where it is no number, too large or would be rounded."""
    wide = text.try_cast("decimal(38,12)")
    narrow = wide.try_cast(f"decimal({precision},{scale})")
    return F.when(wide == narrow, narrow)


def whole_number(text: Column) -> Column:
    """Return text as bigint; null where it is no whole number or too large."""
    return F.when(text.rlike(r"^\s*[+-]?\d+\s*$"), text.try_cast("bigint"))


def utc_timestamp(text: Column) -> Column:
    """Return an ISO 8601 text with an offset as a timestamp; null without one, since a zone must not be guessed."""
    return F.when(text.rlike(_OFFSET), text.try_cast("timestamp"))


def iso_date(text: Column) -> Column:
    """Return an ISO 8601 calendar date (2026-01-31); null for anything else."""
    return F.when(text.rlike(r"^\d{4}-\d{2}-\d{2}$"), text.try_cast("date"))


def blank_to_null(text: Column) -> Column:
    """Return text trimmed; null where nothing is left."""
    return F.nullif(F.trim(text), F.lit(""))


def unreadable(name: str, text: Column, typed: Column) -> Column:
    """Return what to tell about a field that was given but could not be read; null where all is well."""
    found = F.substring(text, 1, 80)
    return F.when(
        text.isNotNull() & typed.isNull(),
        F.concat(F.lit(f"{name}: cannot read '"), found, F.lit("'")),
    )


def problems(*found: Column) -> Column:
    """Gather what `unreadable` told into the column `_problems` that the engine quarantines rows by."""
    return compact(*found).alias("_problems")


def compact(*found: Column, of: str = "string") -> Column:
    """Return an array of those that are not null, of a type; unlike array_compact Spark compiles it."""
    none = F.array().cast(f"array<{of}>")
    return F.concat(none, *[F.when(one.isNotNull(), F.array(one)).otherwise(none) for one in found])
