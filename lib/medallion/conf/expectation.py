"""Expectations as conf declares them: a rule, how bad a miss is, and how large a share may miss it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, model_validator
from pydantic import Strict as StrictMode

from medallion.conf.duration import PauseField
from medallion.conf.model import Strict

Rule = Literal[
    "not_null",
    "unique",
    "accepted_values",
    "range",
    "regex",
    "relationships",
    "expression",
    "sql",
    "freshness",
    "volume",
]
Severity = Literal["fail", "quarantine", "warn"]
Scalar = str | int | float | bool
Bound = int | float | str
_ONE_LINE = r"^\S(.{0,78}\S)?$"
_FULL_NAME = r"^[a-z][a-z0-9_]*\.(bronze|silver|gold)\.[a-z][a-z0-9_]*$"

# Rules that judge a row by itself; the others judge a table, where no single row is to blame.
ROW_RULES = ("not_null", "accepted_values", "range", "regex", "expression")
# Rules that hold a table against the clock, or against its own past.
TIME_RULES = ("freshness", "volume")
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "not_null": ("column",),
    "unique": ("columns",),
    "accepted_values": ("column", "values"),
    "range": ("column",),
    "regex": ("column", "pattern"),
    "relationships": ("column", "to", "field"),
    "expression": ("expression",),
    "sql": ("name",),
    "freshness": ("within",),
    "volume": (),
}
_MAY_HAVE: Mapping[str, tuple[str, ...]] = {
    "range": ("min", "max"),
    "sql": ("by",),
    "freshness": ("column",),
    "volume": ("per",),
}
_OF_A_RULE = tuple("column columns values min max pattern to field expression by within per".split())


def _severity(before: dict[str, Any]) -> Severity:
    if before["rule"] in TIME_RULES:
        return "warn"  # a late table is still the best there is
    return "quarantine" if before["rule"] in ROW_RULES else "fail"


def _scalar(value: object) -> Scalar:
    if not isinstance(value, str | int | float | bool) or value != value:
        raise ValueError("wanted text, a number, true or false")
    return value


def _bound(value: object) -> Bound:
    if isinstance(value, str):
        _moment(value)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError("wanted a number, or a date or instant as ISO text")
    return value


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("wanted a number (without quotes), or a date or instant as ISO text") from None


def _in_order(low: Bound, high: Bound) -> bool:
    if isinstance(low, str) and isinstance(high, str):
        early, late = _moment(low), _moment(high)
        return (early.tzinfo is None) == (late.tzinfo is None) and early <= late
    return not isinstance(low, str) and not isinstance(high, str) and low <= high


_Value = Annotated[Scalar, PlainValidator(_scalar)]
_Bound = Annotated[Bound, PlainValidator(_bound)]


class Expectation(Strict):
    """One check of one table; which fields it takes depends on its rule.

    ``severity`` is quarantine for rules that judge a row, fail for those that judge a table
    (unique, relationships, sql), and warn for freshness and volume, unless said otherwise. ``tolerance`` is the
    share of rows, 0 to 1, that may miss it before the severity counts; of volume, by which its bounds are wider.
    A freshness is of the newest moment in a ``column``, of a bronze table that of the newest delivery; a volume is
    what a source delivers ``per`` day, or per delivery on the average of a day. A sql check that compares
    rows only where they agree in some columns of the key says so (``by``): then only what a refresh touched has to be
    looked at.
    """

    rule: Rule = Field(description=f"one of {', '.join(_NEEDS)}")
    severity: Severity = Field(default_factory=_severity, description="fail, quarantine or warn")
    tolerance: float = Field(default=0.0, ge=0, le=1, description="a share of rows from 0 to 1")
    name: str | None = Field(default=None, pattern=_ONE_LINE, description="a name of at most 80 characters")
    description: str | None = Field(default=None, description="text")
    column: str | None = Field(default=None, min_length=1, description="the name of a column")
    columns: Annotated[tuple[str, ...], StrictMode(False)] = Field(
        default=(), min_length=1, description="a list of column names"
    )
    values: Annotated[tuple[_Value, ...], StrictMode(False)] = Field(
        default=(), min_length=1, description="a list of accepted values"
    )
    min: _Bound | None = Field(default=None, description="a number or ISO text")
    max: _Bound | None = Field(default=None, description="a number or ISO text")
    pattern: str | None = Field(default=None, min_length=1, description="a regular expression")
    to: str | None = Field(default=None, pattern=_FULL_NAME, description="a full name <pipeline>.<layer>.<table>")
    field: str | None = Field(default=None, min_length=1, description="a column of the table that `to` names")
    by: Annotated[tuple[str, ...], StrictMode(False)] = Field(
        default=(), min_length=1, description="a list of columns of the table's key"
    )
    within: PauseField | None = Field(default=None, description="a length of time such as 26 hours")
    per: Literal["day", "delivery"] | None = Field(default=None, description="day or delivery")
    expression: str | None = Field(default=None, pattern=r"\S", description="a SQL expression that should be true")

    @model_validator(mode="after")
    def _fits_its_rule(self) -> "Expectation":
        needs, may_have = _NEEDS[self.rule], _MAY_HAVE.get(self.rule, ())
        given = [name for name in _OF_A_RULE if getattr(self, name) not in (None, ())]
        strange = [name for name in given if name not in (*needs, *may_have)]
        missing = [name for name in needs if getattr(self, name) in (None, ())]
        takes = f"rule {self.rule} takes {', '.join((*needs, *may_have))}"
        if strange:
            raise ValueError(f"{takes}; found {', '.join(strange)}")
        if missing or (self.rule == "range" and not set(given) & set(may_have)):
            raise ValueError(f"{takes}; missing {', '.join(missing) or ' or '.join(may_have)}")
        return self

    @model_validator(mode="after")
    def _can_be_judged(self) -> "Expectation":
        if self.severity == "quarantine" and self.rule not in ROW_RULES:
            raise ValueError(
                f"severity quarantine is for rules that judge a row ({', '.join(ROW_RULES)}); "
                f"rule {self.rule} judges a table: wanted fail or warn"
            )
        if self.rule == "freshness" and self.tolerance:
            raise ValueError("tolerance: nothing is a little late; wanted a longer `within`")
        if self.min is not None and self.max is not None and not _in_order(self.min, self.max):
            raise ValueError("wanted min and max of one kind (numbers, dates or instants), min first")
        if self.rule == "sql" and not (self.name or "").isidentifier():
            raise ValueError("name: wanted the name of a check's file, without folder and ending")
        return self

    @property
    def label(self) -> str:
        """Its name in reasons and quality records: its own, or by rule and columns: ``range(quantity)``."""
        told = self.column or self.expression or ("" if self.rule == "freshness" else self.per or "day")
        of = self.columns or (" ".join(told.split()) or "delivered",)
        return self.name or f"{self.rule}({', '.join(of)})"
