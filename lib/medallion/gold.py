"""Gold: marts, aggregates and derived tables, refreshed from good versions in one commit, or skipped.

Rows are judged before they are committed, so a version that passes is good from its first moment; one
that does not is kept for whoever wants to look, while readers stay at the last good one.
"""

from typing import TYPE_CHECKING

from medallion import commits, gate
from medallion.check import Check
from medallion.curate import check_columns
from medallion.errors import QualityError
from medallion.expectations import found, judge, misses, row_rules
from medallion.faults import point
from medallion.planner import Plan, plan
from medallion.step import Outcome, Step
from medallion.tables import Aggregate, Gold

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def refresh(step: Step, table: Gold) -> Outcome:
    """Bring a gold table to its upstream's good versions; raises QualityError where an upstream did not pass."""
    upstream = {name: gate.require_passed(step, step.lake.state(name), name) for name in table.upstream}
    gate.require_one_cut(step, upstream)
    planned = plan(step.run, table, upstream)
    if planned.technique == "skip":
        version = planned.state.version if planned.state else None
        return Outcome(table.name, "skipped", "skip", planned.reason, version, {"read": 0, "written": 0})
    point("gold.planned")
    rows = build(step, table, planned).persist()
    try:
        return _commit(step, table, planned, rows)
    finally:
        rows.unpersist()


def build(step: Step, table: Gold, planned: Plan) -> "DataFrame":
    """Return a table's rows computed in full from its inputs' good versions, columns as declared."""
    from pyspark.sql import functions as F

    inputs = [
        gate.public(step.run.tables[name], gate.read_version(step.session, up, up.good))
        for name, up in planned.upstream.items()
    ]
    if isinstance(table, Aggregate):
        rows = aggregate(table, inputs[0])
    else:
        rows = table.function(*inputs, **step.parameters())  # type: ignore[misc]
    check_columns(table.name, table.columns, {f.name: f.dataType.simpleString() for f in rows.schema.fields})
    return rows.select(
        *[F.col(name).alias(name, metadata={"comment": doc}) for name, (_, doc) in table.columns.items()]
    )


def aggregate(table: Aggregate, rows: "DataFrame") -> "DataFrame":
    """Return a table's measures by its dimensions; null is a value of a dimension like any other."""
    from pyspark.sql import functions as F

    if table.where:
        rows = rows.where(table.where)
    dimensions = [F.expr(expression).alias(name) for name, expression in table.dimensions.items()]
    measures = [
        F.expr(measure.sql).cast(table.columns[name][0]).alias(name) for name, measure in table.measures.items()
    ]
    return rows.groupBy(*dimensions).agg(*measures)


def _commit(step: Step, table: Gold, planned: Plan, rows: "DataFrame") -> Outcome:
    read, missing, of_rows, of_table = _check(step, rows)
    failing = gate.failed(of_rows)
    if failing:
        raise QualityError(f"{table.name}: stopped before the commit: {gate.describe(failing)}", of_rows)
    checks = of_rows + of_table
    failing = gate.failed(checks)
    target = commits.Target(table.name, planned.state, commits.CURATED)
    account = planned.account(step.run, table, {"read": read, "written": read}, judged=not failing)
    point("gold.before_commit")
    done = commits.overwrite(step.lake, target, rows, account)
    point("gold.after_commit")
    score = round(100 * (1 - missing / read), 2) if read else None
    outcome = Outcome(
        table.name, "done", planned.technique, planned.reason, done.data, dict(done.rows), checks, score=score
    )
    if failing:
        outcome.status = "failed"
        outcome.error = gate.refusal(table.name, done, failing)
    return outcome


def _check(step: Step, rows: "DataFrame") -> tuple[int, int, list[Check], list[Check]]:
    """Count rows and those that miss a row rule, and judge by row and by table, in the pass that computes them."""
    from pyspark.sql import functions as F

    rules = row_rules(gate.expectations_of(step))
    any_missed = F.lit(False)
    for rule in rules:
        any_missed = any_missed | misses(rule)
    measures = [F.count_if(misses(rule)) for rule in rules]
    examples = [F.max(F.when(misses(rule), found(rule, rows.columns))) for rule in rules]
    of_table, told = gate.judge_and_measure(step, rows, [F.count("*"), F.count_if(any_missed), *measures, *examples])
    read, missing, *counts = told
    of_rows = [judge(rule, counts[i], read, counts[len(rules) + i]) for i, rule in enumerate(rules)]
    return read, missing, of_rows, of_table
