"""How good a row is: a score of three parts, each a whole number from 0 to 100, rounded down.

- completeness = 100 x fields that are filled / fields there are
- validity = 100 x fields of the right form / fields that have a form and are filled; 100 where none is
- consistency = 100 x rules between fields that hold / rules there are; one about a field that is null holds
- quality_score = the three, weighted as the pipeline's conf says
- quality_grade = A, B or C from that grade's least score on, else D

All of it follows from the row alone, in whole numbers: the same row always has the same score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

PARTS = ("completeness", "validity", "consistency")
COLUMNS = {
    "completeness": ("int", "share of its fields that are filled, in percent, rounded down"),
    "validity": ("int", "share of those of a known form that have it, in percent, rounded down"),
    "consistency": ("int", "share of the rules between its fields that hold, in percent, rounded down"),
    "quality_score": ("int", "0 to 100: the three parts, weighted by the pipeline's conf, rounded down"),
    "quality_grade": ("string", "A, B, C or D, by the score"),
}


@dataclass(frozen=True)
class Wanted:
    """What a good row has: fields that are filled, forms of fields and rules between them as SQL conditions."""

    fields: Sequence[str]
    forms: Mapping[str, str]
    rules: Sequence[str]


def with_quality(
    rows: DataFrame, wanted: Wanted, weights: Mapping[str, int], least_scores: Mapping[str, int]
) -> DataFrame:
    """Return rows with the columns of COLUMNS; the conditions may use any column of the rows."""
    filled = [F.col(name).isNotNull() for name in wanted.fields]
    given = [F.col(name).isNotNull() for name in wanted.forms]
    valid = [F.expr(condition) for condition in wanted.forms.values()]
    consistent = [F.coalesce(F.expr(condition), F.lit(True)) for condition in wanted.rules]
    parts = {
        "completeness": _percent(_count(filled), F.lit(len(filled))),
        "validity": F.when(_count(given) == 0, F.lit(100)).otherwise(_percent(_count(valid), _count(given))),
        "consistency": _percent(_count(consistent), F.lit(len(consistent))),
    }
    weighted = [F.col(part) * F.lit(weights[part]) for part in PARTS]
    score = _divided(sum(weighted[1:], weighted[0]), F.lit(sum(weights[part] for part in PARTS)))
    return rows.withColumns(parts).withColumn("quality_score", score).withColumn("quality_grade", _grade(least_scores))


def _grade(least_scores: Mapping[str, int]) -> Column:
    score = F.col("quality_score")
    reached = [F.when(score >= least_scores[grade], F.lit(grade)) for grade in ("A", "B", "C")]
    return F.coalesce(*reached, F.lit("D"))


def _count(conditions: Sequence[Column]) -> Column:
    held = [F.when(condition, 1).otherwise(0) for condition in conditions]
    return sum(held[1:], held[0])


def _percent(part: Column, whole: Column) -> Column:
    return _divided(part * 100, whole)


def _divided(part: Column, whole: Column) -> Column:
    """Return a whole number divided and rounded down without passing through a float."""
    return F.call_function("div", part, whole).cast("int")
