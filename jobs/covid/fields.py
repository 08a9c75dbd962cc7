"""Fields of the Center's files as types: counts, instants and codes in the ways they have been written."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.parse import utc_timestamp, whole_number

# 1/22/2020 17:00 and 1/23/20 17:00; the others are 2020-02-14T23:33:02 and 2020-03-23 23:19:34.
AMERICAN = ("M/d/yyyy H:mmX", "M/d/yy H:mmX")


def count_of(text: Column) -> Column:
    """Return a count, also one that a spreadsheet wrote as 12.0; null for anything else."""
    return whole_number(F.regexp_replace(text, r"\.0*$", ""))


def update_time(text: Column) -> Column:
    """Return when a line was last changed, in any of the four ways it is written; all are UTC, none says so."""
    in_utc = F.concat(text, F.lit("Z"))
    return F.coalesce(utc_timestamp(in_utc), *[F.try_to_timestamp(in_utc, F.lit(way)) for way in AMERICAN])


def date_in_name(file: Column, pattern: str, order: str) -> Column:
    """Return the date in a file's name; null where it has none. ``pattern`` has one group, ``order`` says its parts."""
    return F.to_date(F.try_to_timestamp(F.nullif(F.regexp_extract(file, pattern, 1), F.lit("")), F.lit(order)))


def degrees(text: Column, zero_is_unknown: Column) -> Column:
    """Return a coordinate to six decimals, a decimetre; null where both of a place are 0, which stands for unknown."""
    return F.when(~F.coalesce(zero_is_unknown, F.lit(False)), text.try_cast("decimal(9,6)"))
