"""Expectations: declared checks, evaluated on rows in the pass that prepares a write, or on a whole table.

A row misses a check only where the check is known to be false; nulls are the business of not_null alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medallion import freshness
from medallion.check import Check
from medallion.conf import Expectation
from medallion.conf.expectation import ROW_RULES

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TABLE_RULES = {"unique", "relationships", "sql", "freshness"}  # volume is judged where records come in
_SHOWN = 80  # characters of a found value


def row_rules(expectations: Sequence[Expectation]) -> list[Expectation]:
    """Return those that look at one row."""
    return [e for e in expectations if e.rule in ROW_RULES]


def table_rules(expectations: Sequence[Expectation]) -> list[Expectation]:
    """Return those that need the whole table."""
    return [e for e in expectations if e.rule in TABLE_RULES]


def holds_by_change(expectation: Expectation, key: Sequence[str]) -> bool:
    """Tell whether a table that passed a rule passes it again if the rows that come do, nulls of its key included.

    A key stays unique under MERGE, a reference holds for good once its key was seen, and what is fresh makes it fresh;
    a SQL check says itself what it compares. What only warns is told of the rows that come, as rules of rows are.
    """
    if expectation.rule == "freshness":
        return True
    if expectation.rule == "sql":
        return bool(expectation.by)
    by_key = expectation.rule == "unique" and set(expectation.columns) >= set(key)
    told = expectation.severity == "warn" or expectation.tolerance == 0
    return told and (by_key or expectation.rule == "relationships")


def judges_what_comes(expectation: Expectation, key: Sequence[str]) -> bool:
    """Tell whether a gold table that passed a rule is known to pass it again from the rows that come alone.

    A share of rows is one of all of them. Rows of gold that others refer to may go, those of silver leave a trace.
    """
    if expectation.rule == "freshness":
        return False  # what comes may be old, and the table fresh
    if expectation.rule in TABLE_RULES:
        return holds_by_change(expectation, key) and ".gold." not in str(expectation.to)
    return expectation.severity == "warn" or expectation.tolerance == 0


def misses(expectation: Expectation) -> "Column":
    """Return whether a row misses an expectation; never null."""
    from pyspark.sql import functions as F

    return F.coalesce(_MISSES[expectation.rule](expectation), F.lit(False))


def found(expectation: Expectation, columns: Sequence[str]) -> "Column":
    """Return what the row has instead, as text of at most 80 characters; ``columns`` are those it may look at."""
    from pyspark.sql import functions as F

    if expectation.rule == "expression":
        shown = [
            F.concat(F.lit(f"{c}="), F.coalesce(F.col(c).cast("string"), F.lit("null")))
            for c in columns_of(expectation, columns)
        ]
        return F.substring(F.concat_ws(", ", *shown), 1, _SHOWN)
    return F.substring(F.coalesce(F.col(str(expectation.column)).cast("string"), F.lit("null")), 1, _SHOWN)


def columns_of(expectation: Expectation, known: Sequence[str]) -> list[str]:
    """Return the columns that a row expectation looks at; for an expression, its words that name one."""
    if expectation.rule != "expression":
        return [str(expectation.column)]
    without_text = re.sub(r"'[^']*'", "", str(expectation.expression))
    words = dict.fromkeys(re.findall(r"[a-z_][a-z0-9_]*", without_text))
    return [word for word in words if word in known]


def _range(e: Expectation) -> "Column":
    from pyspark.sql import functions as F

    value = F.col(str(e.column))
    below = value < F.lit(e.min) if e.min is not None else F.lit(False)
    above = value > F.lit(e.max) if e.max is not None else F.lit(False)
    return below | above


def _column(e: Expectation) -> "Column":
    from pyspark.sql import functions as F

    return F.col(str(e.column))


def _expression(e: Expectation) -> "Column":
    from pyspark.sql import functions as F

    return ~F.expr(str(e.expression))


_MISSES: Mapping[str, Callable[[Any], "Column"]] = {
    "not_null": lambda e: _column(e).isNull(),
    "accepted_values": lambda e: ~_column(e).isin(list(e.values)),
    "range": _range,
    "regex": lambda e: ~_column(e).rlike(e.pattern),
    "expression": _expression,
}


def judge(expectation: Expectation, failed: int, total: int, example: str | None) -> Check:
    """Return the verdict: an expectation passes while the share of rows that miss it is within its tolerance.

    Not passing stops a table where severity is fail; and where it is quarantine with a tolerance, since
    so many bad rows are a bad table.
    """
    passed = failed == 0 or (total > 0 and failed / total <= expectation.tolerance)
    hard = expectation.severity == "fail" or (expectation.severity == "quarantine" and expectation.tolerance > 0)
    return Check(expectation.label, expectation.severity, failed, total, passed, example, stops=hard and not passed)


def check_table(
    frame: "DataFrame",
    expectations: Sequence[Expectation],
    referenced: Callable[[Expectation], "DataFrame"],
    singular: Callable[[Expectation], "DataFrame"],
    also: Sequence["Column"] = (),
) -> tuple[list[Check], list[Any]]:
    """Judge a whole table by its table rules: one query for all but SQL checks, which take one each.

    ``referenced`` returns every row that the other table of a rule ever had, tombstones included, since a reference
    holds if its key was ever seen, or those that may be referred to; ``singular`` returns the rows that a SQL check
    finds. What ``also`` measures of the table comes with the same query, and is returned behind the checks.
    """
    from pyspark.sql import functions as F

    rules = [e for e in expectations if e.rule != "sql"]
    checks = [_singular(singular(e), e) for e in expectations if e.rule == "sql"]
    measures: list[Column] = []
    for number, rule in enumerate(rules):
        if rule.rule == "unique":
            key = F.struct(*rule.columns)
            measures += [F.count("*") - F.count_distinct(key), F.count("*"), F.lit(None).cast("string")]
        elif rule.rule == "freshness":
            newest = F.unix_micros(F.max(F.col(str(rule.column)).cast("timestamp")))
            measures += [newest, F.lit(1), F.lit(None).cast("string")]
        else:
            frame = _referring(frame, rule, referenced(rule), f"_known_{number}")
            value = F.col(str(rule.column))
            orphan = value.isNotNull() & F.col(f"_known_{number}").isNull()
            measures += [F.count_if(orphan), F.count(value), F.max(F.when(orphan, value.cast("string")))]
    if not measures and not also:
        return checks, []
    row = frame.agg(*measures, *also).first()
    told = list(row) if row else []
    for number, rule in enumerate(rules):
        failed, total, shown = told[3 * number : 3 * number + 3]
        if rule.rule == "freshness":
            checks.append(freshness.judge(rule, freshness.from_micros(failed)))
            continue
        if failed and rule.rule == "unique":
            shown = _repeated(frame, rule)
        checks.append(judge(rule, failed, total, shown))
    return checks, told[len(measures) :]


def _referring(frame: "DataFrame", rule: Expectation, referenced: "DataFrame", name: str) -> "DataFrame":
    """Join in the referenced keys, once each, as a column that is null where there is none."""
    from pyspark.sql import functions as F

    known = referenced.select(F.col(str(rule.field)).alias(name)).where(F.col(name).isNotNull()).distinct()
    return frame.join(known, F.col(str(rule.column)) == F.col(name), how="left")


def _repeated(frame: "DataFrame", rule: Expectation) -> str | None:
    """Return a key that stands more than once."""
    from pyspark.sql import functions as F

    repeated = frame.groupBy(*rule.columns).agg(F.count("*").alias("_rows")).where("_rows > 1")
    row = repeated.select(F.struct(*rule.columns).cast("string")).first()
    return row[0] if row else None


def _singular(rows: "DataFrame", expectation: Expectation) -> Check:
    """A SQL check that must return nothing; its rows are counted against themselves, so no tolerance applies."""
    from pyspark.sql import functions as F

    row = rows.agg(F.count("*"), F.max(F.to_json(F.struct(*rows.columns)))).first()
    failed, shown = row if row else (0, None)
    stops = failed > 0 and expectation.severity == "fail"
    return Check(expectation.label, expectation.severity, failed, failed, failed == 0, shown, stops)
