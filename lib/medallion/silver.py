"""Silver: curate a chosen set of records, and bring a table to what they say; one commit.

``read = written + unchanged + superseded + quarantined + waiting``, per exploded row. Any order of
arrival, in any split into batches, gives the same table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

from medallion import bronze, changes, commits, gate, intervals, outcomes, quarantine
from medallion.curate import contract, judged, looked_up, rows_of
from medallion.errors import CommitError, QualityError
from medallion.expectations import holds_by_change, row_rules, table_rules
from medallion.lake import State
from medallion.outcomes import Tally
from medallion.planner import Plan, plan
from medallion.step import Outcome, Step
from medallion.tables import INTERVAL, Lookup, Silver

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Chosen:
    """The records to curate; ``again`` holds the ids of those that were judged before, if any were."""

    records: "DataFrame"
    again: "DataFrame | None" = None


def refresh(step: Step, table: Silver, *, replay: bool = False) -> Outcome:
    """Bring a silver table up to its upstream's good versions, and judge what came of it.

    With ``replay`` everything in its quarantine is judged again. Raises QualityError where expectations
    of severity fail are missed; the table's readers then keep the last good version.
    """
    upstream = {name: gate.require_passed(step, step.lake.state(name), name) for name in table.upstream}
    planned = plan(step.run, table, upstream)
    if planned.technique == "skip" and replay and step.lake.exists(quarantine.name_of(table)):
        planned = replace(planned, technique="affected_keys", reason="replay of what was quarantined or waits")
    if planned.technique == "skip":
        return _unjudged_or_skipped(step, planned)
    outcome = _curate(step, table, planned, _choose(step, table, planned, replay=replay))
    if outcome is None:  # rows that were taken before no longer pass: only all records together tell what is left
        planned = replace(planned, technique="full", reason="rows that were taken before no longer pass")
        outcome = _curate(step, table, planned, _choose(step, table, planned, replay=False))
    assert outcome is not None  # a full refresh displaces nothing
    return _judged(step, outcome)


def _choose(step: Step, table: Silver, planned: Plan, *, replay: bool) -> Chosen:
    """Choose the records to curate: all; or the new ones, those waiting, replayed, or touched by a lookup."""
    from pyspark.sql import functions as F

    driving = planned.upstream[table.reads]
    known = gate.one_a_key(step.run.tables[table.reads], gate.read_version(step.session, driving, driving.good))
    if planned.technique == "full":
        return Chosen(known)
    touched = _touched(step, table, planned, known, replay=replay)
    records, chosen = _with_new(step, table, planned, known)
    if touched is not None:
        again = F.broadcast(touched.withColumn("_again", F.lit(True)))
        records, chosen = records.join(again, on="_record_id", how="left"), chosen | F.col("_again")
    return Chosen(records.where(chosen).select(*known.columns), touched)


def _with_new(step: Step, table: Silver, planned: Plan, known: "DataFrame") -> tuple["DataFrame", "Column"]:
    """Return the driving table's rows, and the condition that a row is new since the last commit."""
    from pyspark.sql import functions as F

    if table.reads not in planned.changed:
        return known, F.lit(False)
    mark = planned.marks[table.reads]
    if not table.parent:
        source = getattr(step.run.tables[table.reads], "source", "")
        return known, F.col("_delivery") > bronze.delivered(step.lake, table.reads, source, mark.since)
    moved = changes.feed(step.session, planned.upstream[table.reads], mark.since, mark.version)
    keys = changes.at_hand(moved.select(*table.parent).distinct()).withColumn("_new", F.lit(True))
    return known.join(F.broadcast(keys), on=list(table.parent), how="left"), F.col("_new")


def _touched(step: Step, table: Silver, planned: Plan, known: "DataFrame", *, replay: bool) -> "DataFrame | None":
    """Return the ids of records to judge again, or None: where a lookup moved, a parent went on, or for a replay."""
    moved = [lookup for lookup in table.lookups if lookup.table in planned.changed]
    entries = quarantine.entries(step.run, step.session, table)
    ids: list[DataFrame] = []
    if entries is not None and (replay or moved):
        # Where a lookup gives columns, what it gave may be why a row was rejected.
        anew = replay or any(lookup.take for lookup in moved)
        chosen = entries if anew else entries.where("outcome = 'waiting'")
        ids.append(chosen.select("_record_id"))
    if entries is not None and table.parent and table.reads in planned.changed:
        standing = known.where("NOT _deleted").select("_record_id")
        ids.append(entries.select("_record_id").join(standing, on="_record_id", how="anti"))
    if planned.state is not None:
        stored = gate.read_version(step.session, planned.state, planned.state.data)
        ids += [_using(step, stored, lookup, planned) for lookup in moved]
    found = changes.at_hand(reduce(lambda a, b: a.union(b), ids).distinct()) if ids else None
    return None if found is None or found.isEmpty() else found


def _using(step: Step, stored: "DataFrame", lookup: Lookup, planned: Plan) -> "DataFrame":
    """Return the records behind stored rows that used a looked-up row that changed, or now would."""
    from pyspark.sql import functions as F

    mark = planned.marks[lookup.table]
    moved = changes.feed(step.session, planned.upstream[lookup.table], mark.since, mark.version)
    dates = [lookup.as_of[1]] if lookup.as_of else []
    values = changes.net(moved, list(dict.fromkeys([*lookup.on.values(), *dates, *lookup.take])))
    values = values.select([F.col(column).alias(f"_moved_{column}") for column in values.columns])
    met = [F.col(mine) == F.col(f"_moved_{theirs}") for mine, theirs in lookup.on.items()]
    if lookup.as_of:
        mine, theirs = F.col(lookup.as_of[0]), F.col(f"_moved_{lookup.as_of[1]}")
        met += [mine >= theirs, mine <= F.date_add(theirs, lookup.within_days)]
    return stored.where("NOT _deleted").join(F.broadcast(values), on=met, how="semi").select("_record_id")


def _curate(step: Step, table: Silver, planned: Plan, chosen: Chosen) -> Outcome | None:
    """Judge the chosen records and commit what they change; None where stored rows were displaced."""
    expectations = gate.expectations_of(step)
    given = step.parameters()
    lookups = {lookup.table: _looked_up(step, lookup, planned) for lookup in table.lookups}
    rows = judged(
        table,
        looked_up(rows_of(table, _alive(table, chosen), given), table.lookups, lookups),
        given,
        expectations,
    )
    columns = contract(table, rows)
    sorted_out = _sort_out(step, table, planned, chosen, rows, columns).persist()
    try:
        counted = outcomes.count(table, sorted_out, row_rules(expectations))
        if counted.displaced and planned.technique != "full":
            return None
        failing = gate.failed(counted.checks)
        if failing:
            raise QualityError(f"{table.name}: stopped before the commit: {gate.describe(failing)}", counted.checks)
        _settle(step, table, planned, chosen, sorted_out, counted)
        _commit(step, table, planned, sorted_out, columns, counted)
    finally:
        sorted_out.unpersist()
    state = step.lake.state(table.name)
    told = (planned.technique, planned.reason, state.version if state else None, counted.rows, counted.checks)
    return Outcome(table.name, "done", *told, score=counted.score)


def _looked_up(step: Step, lookup: Lookup, planned: Plan) -> "DataFrame":
    """Return the rows a lookup may meet: one a key, tombstones too."""
    state = planned.upstream[lookup.table]
    stored = gate.read_version(step.session, state, state.good)
    return gate.one_a_key(step.run.tables[lookup.table], stored)


def _alive(table: Silver, chosen: Chosen) -> "DataFrame":
    return chosen.records.where("NOT _deleted") if table.parent else chosen.records


def _sort_out(
    step: Step, table: Silver, planned: Plan, chosen: Chosen, rows: "DataFrame", columns: Sequence[str]
) -> "DataFrame":
    """Return rows with ``_outcome``: what becomes of each; and stored rows that are to be written anew with them."""
    again = chosen.again is not None
    if planned.technique == "full" or planned.state is None:
        return intervals.of_all(table, rows) if table.keeps_versions else outcomes.among_themselves(table, rows)
    stored = gate.read_version(step.session, planned.state, planned.state.data)
    if table.keeps_versions:
        return intervals.rebuilt(table, rows, columns, stored, again=again)
    sorted_out = outcomes.against_stored(table, rows, columns, stored, again=again)
    if not table.parent:
        return sorted_out
    gone = outcomes.going(table, sorted_out, columns, stored, chosen.records)
    return sorted_out.unionByName(gone, allowMissingColumns=True)


def _settle(step: Step, table: Silver, planned: Plan, chosen: Chosen, rows: "DataFrame", counted: Tally) -> None:
    """Write the side table first, and only if there is something to add to it or to take from it."""
    anew = planned.technique == "full"
    known = step.lake.exists(quarantine.name_of(table))
    if counted.rejected or (known and (anew or chosen.again is not None)):
        found = quarantine.rejected(step, rows.where(f"_outcome != '{outcomes.ADJUSTED}'"), chosen.records)
        quarantine.settle(step, table, found, chosen.again, anew=anew)


def _commit(
    step: Step, table: Silver, planned: Plan, rows: "DataFrame", columns: Sequence[str], counted: Tally
) -> None:
    """Commit what is written, or a watermark that moved; a full refresh is judged beforehand, with all rows at hand."""
    from pyspark.sql import functions as F

    docs = {**INTERVAL, **{name: doc for name, (_, doc) in table.columns.items()}}
    written = rows.where(f"_outcome IN ('written', '{outcomes.ADJUSTED}')").select(
        [F.col(c).alias(c, metadata={"comment": docs[c]} if c in docs else {}) for c in columns]
    )
    target = commits.Target(table.name, planned.state, commits.CURATED)
    if planned.technique == "full":
        if gate.needs_judging(step):
            counted.checks.extend(gate.judge_frame(step, written))
        judged = not gate.failed(counted.checks)
        commits.overwrite(step.lake, target, written, planned.account(step.run, table, counted.rows, judged=judged))
    elif counted.total == 0:
        if planned.changed:
            account = planned.account(step.run, table, counted.rows, judged=False)
            commits.note(step.lake, target, step.session, account)
        return
    else:
        judged = not gate.needs_judging(step) or _passes(step, table, planned, written, counted)
        account = planned.account(step.run, table, counted.rows, judged=judged)
        commits.merge(step.lake, target, written, table.stored_key, account)
    _balance(step, table, counted.total)


def _passes(step: Step, table: Silver, planned: Plan, written: "DataFrame", counted: Tally) -> bool:
    """Judge only what comes, where that tells of the whole table: then readers have it with the same commit.

    Where it does not pass, the version is judged as a whole after its commit, which tells more.
    """
    if planned.state is None or planned.state.good != planned.state.data:
        return False
    if not all(holds_by_change(rule, table.key) for rule in table_rules(gate.expectations_of(step))):
        return False
    checks = gate.judge_frame(step, written)
    passed = not gate.failed(checks)
    if passed:
        counted.checks.extend(checks)
    return passed


def _balance(step: Step, table: Silver, total: int) -> None:
    """Hold the count of rows to write against what Delta says it wrote."""
    commit = next(step.lake.history(table.name, 1))
    merged = ("numTargetRowsInserted", "numTargetRowsUpdated")
    told = merged if commit.operation == "MERGE" else ("numOutputRows",)
    written = sum(int(commit.metrics.get(metric, 0)) for metric in told)
    if written != total:
        raise CommitError(f"{table.name}: version {commit.version} wrote {written} rows, {total} were to be written")


def _unjudged_or_skipped(step: Step, planned: Plan) -> Outcome:
    """Nothing new: skip, unless a run was killed before its version was judged, or the version did not pass."""
    state = planned.state
    rows = dict.fromkeys(("read", *outcomes.TERMS), 0)
    if state is None or state.good == state.data:
        return Outcome(step.name, "skipped", "skip", planned.reason, state.version if state else None, rows)
    return _judged(
        step,
        Outcome(step.name, "done", "skip", f"version {state.data} was not judged yet", state.version, rows),
    )


def _judged(step: Step, outcome: Outcome) -> Outcome:
    """Judge the version that the step left, unless it was judged before it was committed."""
    state: State | None = step.lake.state(step.name)
    if state is None or state.account is None or state.good == state.data:
        return outcome
    if outcome.technique != "full":
        outcome.checks.extend(gate.judge_version(step, state))
    failing = gate.failed(outcome.checks)
    if failing:
        outcome.status = "failed"
        outcome.error = gate.refusal(step.name, state.account, failing)
    return outcome
