"""Gold: marts, aggregates and derived tables, refreshed from good versions, or skipped.

By what changed where the planner says so (`mart`, `aggregate`, `derived`), else in full: the rows are the same. Rows
are judged before they are committed, so a version that passes is good from its first moment; one that does not is
kept for whoever wants to look, while readers stay at the last good one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from medallion import clock, commits, gate
from medallion.account import GONE as KEYS_GONE
from medallion.account import KEYS, Account
from medallion.check import Check
from medallion.conf import Expectation
from medallion.curate import check_columns
from medallion.errors import QualityError, RefreshError
from medallion.expectations import found, judge, judges_what_comes, misses, row_rules, table_rules
from medallion.faults import point
from medallion.gold import aggregate, derived, mart
from medallion.gold.patch import GONE, Patch, Unfollowed, Work
from medallion.held import FEW, Held, Holder, named
from medallion.log_files import FILE_ROWS
from medallion.planner import REFUSED, Plan, backfilled, plan
from medallion.session import set_for_few_rows
from medallion.small import SMALL_BYTES
from medallion.step import Outcome, Step
from medallion.tables import ROWS, Aggregate, Gold, Mart

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# A table that is no larger is written anew as a whole: fewer jobs than a MERGE takes.
_WHOLE_BYTES = 4 * SMALL_BYTES
_MANY_ROWS = 4_000_000  # of a table that is worth to be laid out


def refresh(step: Step, table: Gold) -> Outcome:
    """Bring a gold table to its upstream's good versions.

    Raises QualityError where an upstream did not pass, RefreshError where conf wants no full refresh and one is due.
    """
    upstream = {name: gate.require_passed(step, step.lake.state(name), name) for name in table.upstream}
    if not backfilled(step.run, table, None, upstream):
        gate.require_one_cut(step, upstream)
    planned = plan(step.run, table, upstream)
    if planned.technique == "skip":
        version = planned.state.version if planned.state else None
        return Outcome(table.name, "skipped", "skip", planned.reason, version, {"read": 0, "written": 0})
    point("gold.planned")
    _ = step.session  # Spark's start is no part of what the refresh takes
    began = clock.milliseconds()
    if planned.technique not in ("full", REFUSED):
        many = planned.cost is not None and planned.cost.changed > FEW
        with Holder(many) as holder:
            try:
                return _follow(Work(step, planned, holder), table, began)
            except Unfollowed as error:
                planned = planned.in_full(str(error))
    if planned.technique == REFUSED or (planned.state and step.run.conf.refresh(table.name) == "incremental"):
        raise RefreshError(
            f"{table.name}: wants a full refresh: {planned.reason}; conf says refresh: incremental, which is not to "
            f"pay for one: `medallion run {table.name.split('.')[0]} --table {table.name} runtime.refresh=full`"
        )
    rows = build(step, table, planned).persist()
    try:
        return _replace(step, table, planned, rows, began)
    finally:
        rows.unpersist()


def build(step: Step, table: Gold, planned: Plan) -> "DataFrame":
    """Return a table's rows computed in full from its inputs' good versions, columns as declared."""
    inputs = [gate.read_version(step.session, up, up.good) for up in planned.upstream.values()]
    return made_of(step, table, dict(zip(planned.upstream, inputs, strict=True)))


def made_of(step: Step, table: Gold, inputs: "Mapping[str, DataFrame]") -> "DataFrame":
    """Return the rows that a table makes of stored rows of the tables it reads, columns as declared."""
    visible = [gate.public(step.run.tables[name], inputs[name]) for name in table.inputs]
    if isinstance(table, Aggregate):
        return _as_declared(table, aggregate.grouped(table, visible[0]))
    return _as_declared(table, table.function(*visible, **step.parameters()))  # type: ignore[misc]


def _as_declared(table: Gold, rows: "DataFrame", *also: str) -> "DataFrame":
    """Return the columns that a table stores, and some more; raises ContractError where they are not as declared."""
    from pyspark.sql import functions as F

    check_columns(table.name, table.columns, {f.name: f.dataType.simpleString() for f in rows.schema.fields})
    declared = [F.col(name).alias(name, metadata={"comment": doc}) for name, (_, doc) in table.columns.items()]
    return rows.select(*declared, *(table.kept if isinstance(table, Aggregate) else ()), *also)


def _follow(work: Work, table: Gold, began: int) -> Outcome:
    """Refresh a table by what changed: in one MERGE, as a whole where it is small, or by a note where nothing did."""
    step, planned = work.step, work.planned
    target = commits.Target(table.name, planned.state, commits.CURATED)
    with set_for_few_rows(step.session, few=not work.holder.many):
        made = _patch(work, table)
        if made is None:
            return _noted(work, table, target, began)
        planned = replace(planned, technique=made.technique)
        held = work.holder.hold(_as_declared(table, made.rows, GONE))
        rows = held.frame
        point("gold.patched")
        columns = [name for name in rows.columns if name != GONE]
        stays = rows.where(f"NOT {GONE}").select(*columns)
        stored = gate.read_version(step.session, work.own, work.own.data).select(*columns)
        whole = made.keys.without(stored).unionByName(stays)
        judged = _judge_patch(step, table, made, held, whole)
    told = {
        "read": made.changed,
        KEYS: made.keys.count,
        "written": judged.read,
        KEYS_GONE: made.keys.count - judged.read,
    }
    work.look_into(work.own, made.keys)
    account = planned.account(step.run, table, told, judged=not gate.failed(judged.checks), began=began)
    account = replace(account, bytes_read=work.bytes_read)
    point("gold.before_commit")
    if step.lake.size(table.name) <= _WHOLE_BYTES:
        done = commits.overwrite(step.lake, target, whole, account)
    else:
        match = commits.Match(table.key, made.keys.within, only_changed=True, gone_first=True)
        done = commits.merge(step.lake, target, rows if told[KEYS_GONE] else rows.drop(GONE), match, account)
    point("gold.after_commit")
    return _outcome(table, planned, done, judged)


def _noted(work: Work, table: Gold, target: commits.Target, began: int) -> Outcome:
    """Move the watermark only: what changed upstream has no effect here."""
    step, nothing = work.step, {"read": 0, "written": 0}
    planned = replace(work.planned, reason=f"{work.planned.reason}: none that counts here")
    commits.note(step.lake, target, step.session, planned.account(step.run, table, nothing, judged=False, began=began))
    return Outcome(table.name, "done", planned.technique, planned.reason, target.next_version, nothing)


def _patch(work: Work, table: Gold) -> Patch | None:
    if isinstance(table, Mart):
        return mart.patch(work, table)
    return aggregate.patch(work, table) if isinstance(table, Aggregate) else derived.patch(work, table)


def _replace(step: Step, table: Gold, planned: Plan, rows: "DataFrame", began: int) -> Outcome:
    """Replace all rows of a table."""
    rules = gate.expectations_of(step)
    judged = _judge(step, table, rows, rules, gate.Whole(rows))
    told = {"read": judged.read, "written": judged.read}
    target = commits.Target(table.name, planned.state, commits.CURATED)
    account = planned.account(step.run, table, told, judged=not gate.failed(judged.checks), began=began)
    point("gold.before_replace")
    done = commits.overwrite(step.lake, target, _laid_out(table, rows, judged.read), account)
    point("gold.after_replace")
    return _outcome(table, planned, done, judged)


def _laid_out(table: Gold, rows: "DataFrame", count: int) -> "DataFrame":
    """Return many rows in files by ranges of the key: what changes later then lies in few of them."""
    if count <= _MANY_ROWS:
        return rows
    return rows.repartitionByRange(-(-count // FILE_ROWS), *table.key).sortWithinPartitions(*table.key)


def _judge_patch(step: Step, table: Gold, made: Patch, held: Held, whole: "DataFrame") -> "Judged":
    """Judge what comes where that tells of the whole table, and by the other rules the table as it will be."""
    from pyspark.sql import functions as F

    rules = gate.expectations_of(step)
    of_change = [rule for rule in rules if judges_what_comes(rule, table.key)]
    sound = [F.min(ROWS)] if isinstance(table, Aggregate) else []

    def narrow(frame: "DataFrame", on: Mapping[str, str]) -> "DataFrame":
        own = made.keys.of_columns(list(on)) if set(on) <= set(made.keys.columns) else held.keys(named(list(on)))
        return own.meeting(frame, on)

    judged = _judge(step, table, held.frame.where(f"NOT {GONE}"), of_change, gate.Whole(whole, narrow), sound)
    if any(lowest is not None and lowest < 0 for lowest in judged.also):
        raise Unfollowed("its change feed takes more rows from a group than it had")
    others = [rule for rule in rules if rule not in of_change]
    if not others:
        return judged
    more = _judge(step, table, whole, others, gate.Whole(whole))
    return replace(judged, checks=[*judged.checks, *more.checks])


@dataclass(frozen=True)
class Judged:
    """How many rows were judged, and missed a row rule; the checks; and what else was measured of them."""

    read: int
    missing: int
    checks: list[Check]
    also: Sequence[Any] = ()


def _judge(
    step: Step,
    table: Gold,
    rows: "DataFrame",
    rules: Sequence[Expectation],
    whole: gate.Whole,
    also: "Sequence[Column]" = (),
) -> Judged:
    """Judge rows one by one and as a table, in the pass that computes them.

    Raises QualityError where rows by themselves do not pass: nothing is committed then.
    """
    from pyspark.sql import functions as F

    of_row = row_rules(rules)
    any_missed = F.lit(False)
    for rule in of_row:
        any_missed = any_missed | misses(rule)
    counts = [F.count_if(misses(rule)) for rule in of_row]
    examples = [F.max(F.when(misses(rule), found(rule, list(table.columns)))) for rule in of_row]
    measures = [F.count("*"), F.count_if(any_missed), *also, *counts, *examples]
    of_table, told = gate.judge(step, rows, table_rules(rules), whole, measures)
    read, missing, more, told = told[0], told[1], told[2 : 2 + len(also)], told[2 + len(also) :]
    of_rows = [judge(rule, told[i], read, told[len(of_row) + i]) for i, rule in enumerate(of_row)]
    failing = gate.failed(of_rows)
    if failing:
        raise QualityError(f"{table.name}: stopped before the commit: {gate.describe(failing)}", of_rows)
    return Judged(read, missing, of_rows + of_table, more)


def _outcome(table: Gold, planned: Plan, done: Account, judged: Judged) -> Outcome:
    score = round(100 * (1 - judged.missing / judged.read), 2) if judged.read else None
    outcome = Outcome(
        table.name, "done", planned.technique, planned.reason, done.data, dict(done.rows), judged.checks, score=score
    )
    failing = gate.failed(judged.checks)
    if failing:
        outcome.status = "failed"
        outcome.error = gate.refusal(table.name, done, failing)
    return outcome
