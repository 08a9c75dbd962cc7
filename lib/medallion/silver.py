"""Silver: curate a chosen set of records, and bring a table to what they say; one commit.

``read = written + unchanged + superseded + quarantined + waiting``, per exploded row. Any order of
arrival, in any split into batches, gives the same table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medallion import commits, curate, gate, intervals, kept, outcomes, quarantine
from medallion.chosen import Chosen, choose, is_much
from medallion.curate import contract
from medallion.errors import CommitError, QualityError
from medallion.expectations import holds_by_change, row_rules, table_rules
from medallion.faults import point
from medallion.held import Held, Holder, Keys, named
from medallion.lake import State
from medallion.outcomes import Tally
from medallion.planner import Plan, again, plan
from medallion.session import set_for_few_rows
from medallion.step import Outcome, Step
from medallion.tables import INTERVAL, Silver
from medallion.trace.versions import state_at, upstream_at

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STORED = f"_outcome IN ('written', '{outcomes.ADJUSTED}')"


@dataclass(frozen=True)
class SortedOut:
    """Rows with an outcome each, and the columns of which a table stores those that are to be written."""

    held: Held
    columns: Sequence[str]

    def written(self, table: Silver) -> "DataFrame":
        """Return the rows that are to be written, as they are stored."""
        from pyspark.sql import functions as F

        docs = {**INTERVAL, **{name: doc for name, (_, doc) in table.columns.items()}}
        return self.held.frame.where(STORED).select(
            [F.col(c).alias(c, metadata={"comment": docs[c]} if c in docs else {}) for c in self.columns]
        )


def refresh(step: Step, table: Silver) -> Outcome:
    """Bring a silver table up to its upstream's good versions, and judge what came of it.

    What the run asks for besides is judged again. Raises QualityError where expectations of severity fail are missed;
    the table's readers then keep the last good version.
    """
    asked = step.run.asked
    upstream = {name: _upstream(step, table, name) for name in table.upstream}
    is_again = table.name in asked.tables
    planned = again(step.run, table, upstream) if is_again else plan(step.run, table, upstream)
    if table.name in asked.until:
        newest = gate.require_passed(step, step.lake.state(table.reads), table.reads).good
        planned = replace(planned, backfill=newest if planned.upstream[table.reads].good < newest else None)
    if planned.technique == "skip" and asked.quarantined and step.lake.exists(quarantine.name_of(table)):
        planned = replace(planned, technique="affected_keys", reason="replay of what was quarantined or waits")
    if planned.technique == "skip":
        return _unjudged_or_skipped(step, planned)
    planned = _without_old(table, planned)
    point("silver.planned")
    outcome = _curate(step, table, planned)
    if outcome is None and is_again:
        raise QualityError(
            f"{table.name}: by today's definition rows that it holds no longer pass; only all records together tell "
            f"what is left of their keys: `medallion run {step.run.conf.name}` refreshes it in full"
        )
    if outcome is None:  # rows that were taken before no longer pass: only all records together tell what is left
        planned = replace(planned, technique="full", reason="rows that were taken before no longer pass")
        outcome = _curate(step, table, planned)
    point("silver.before_verdict")
    assert outcome is not None  # a full refresh displaces nothing
    return _judged(step, outcome)


def _upstream(step: Step, table: Silver, name: str) -> State:
    """Return the state of an upstream table that the step goes to: as it stands, but where the run asks for less."""
    asked, state = step.run.asked, gate.require_passed(step, step.lake.state(name), name)
    if table.name in asked.until and name == table.reads:
        return state_at(step.lake, name, asked.until[table.name])
    own = step.lake.state(table.name) if table.name in asked.tables and name not in asked.tables else None
    if own is None or own.account is None or name not in own.account.watermark:
        return state
    return upstream_at(step.lake, name, own.account.watermark[name], own)


def _curate(step: Step, table: Silver, planned: Plan) -> Outcome | None:
    """Judge the chosen records and commit what they change; None where stored rows were displaced."""
    many = planned.technique == "full" or is_much(step, table, planned)
    with Holder(many) as holder, set_for_few_rows(step.session, few=not many):
        chosen = choose(step, table, planned, holder)
        rows = curated(step, table, planned, chosen.records)
        columns = contract(table, rows)
        is_large = planned.technique != "full" and step.lake.size(table.name) >= commits.LARGE_BYTES
        rows, keys = _met_by(table, rows, chosen, holder, is_large=is_large)
        old = _kept(step, table, planned)
        if old is not None:
            found = kept.sorted_out(table, rows, columns, old, chosen.records)
        else:
            found = _sort_out(table, chosen, rows, columns, _stored(step, planned, keys))
        sorted_out = SortedOut(holder.hold(found), columns)
        counted = outcomes.count(table, sorted_out.held, row_rules(gate.expectations_of(step)))
        if old is not None:
            counted = replace(counted, rows={**counted.rows, "kept": counted.adjusted})
            planned = replace(planned, reason=f"{planned.reason}; {_told_kept(planned, table, counted.adjusted)}")
        point("silver.judged")
        if counted.displaced and planned.technique != "full":
            return None
        failing = gate.failed(counted.checks)
        if failing:
            raise QualityError(f"{table.name}: stopped before the commit: {gate.describe(failing)}", counted.checks)
        _settle(step, table, planned, chosen, sorted_out.held.frame, counted)
        point("silver.before_commit")
        within = keys.within if keys and is_large else {}
        _commit(step, table, planned, sorted_out, commits.Match(table.stored_key, within), counted)
        point("silver.after_commit")
    state = step.lake.state(table.name)
    told = (planned.technique, planned.reason, state.version if state else None, counted.rows, counted.checks)
    return Outcome(table.name, "done", *told, score=counted.score)


def _kept(step: Step, table: Silver, planned: Plan) -> "DataFrame | None":
    """Return stored rows that a refresh in full must not lose, if there may be any; see `kept`."""
    if planned.technique != "full":
        return None
    return kept.stored(step.session, table, planned.state, planned.upstream[table.reads])


def _without_old(table: Silver, planned: Plan) -> Plan:
    """Say of a first load that records are gone, so that rows made of them do not come back."""
    through = kept.removed_through(planned.upstream[table.reads])
    if planned.state is not None or not through:
        return planned
    told = f"without rows of deliveries up to {through}, whose records {table.reads} has let go"
    return replace(planned, reason=f"{planned.reason}, {told}")


def _told_kept(planned: Plan, table: Silver, count: int) -> str:
    through = kept.removed_through(planned.upstream[table.reads])
    return f"{count} rows stay as they were: {table.reads} has let go of records of deliveries up to {through}"


def made_anew(step: Step, table: Silver, planned: Plan, records: "DataFrame") -> "DataFrame":
    """Return the judged rows that all records make, with what the planned-on version keeps of records that are gone.

    For whoever holds a version against its recomputation: its rows are those with an outcome in `STORED`.
    """
    rows = curated(step, table, planned, records)
    old = _kept(step, table, planned)
    return of_all(table, rows) if old is None else kept.sorted_out(table, rows, contract(table, rows), old, records)


def _met_by(
    table: Silver, rows: "DataFrame", chosen: Chosen, holder: Holder, *, is_large: bool
) -> "tuple[DataFrame, Keys | None]":
    """Return the rows, and what stored rows are met by that they may change: their keys, or those of parents.

    To find the keys of rows that have no parents pays for a large table.
    """
    if chosen.parents is not None:
        return rows, chosen.parents.keys(named(table.parent)).without_null()
    if not is_large:
        return rows, None
    held = holder.hold(rows)
    return held.frame, held.keys(named(table.key)).without_null()


def curated(step: Step, table: Silver, planned: Plan, records: "DataFrame") -> "DataFrame":
    """Return the judged rows that a table's transform and lookups make of records."""
    lookups = {lookup.table: gate.upstream_rows(step, planned.upstream[lookup.table]) for lookup in table.lookups}
    return curate.curated(table, records, lookups, step.parameters(), gate.expectations_of(step))


def told_by_records(table: Silver, stored: "DataFrame") -> "DataFrame":
    """Return of stored rows what all records together tell: no tombstones of children, of which only history does."""
    stored = stored.where("NOT _deleted") if table.parent else stored
    return stored.select(*table.columns, *(INTERVAL if table.keeps_versions else ()), "_record_id", "_deleted")


def of_all(table: Silver, rows: "DataFrame") -> "DataFrame":
    """Return judged rows with ``_outcome`` where they are all there is."""
    return intervals.of_all(table, rows) if table.keeps_versions else outcomes.among_themselves(table, rows)


def _stored(step: Step, planned: Plan, keys: Keys | None) -> "DataFrame | None":
    """Return the rows that a table stores, or those that meet ``keys``; None where all of them are made anew."""
    if planned.technique == "full" or planned.state is None:
        return None
    stored = gate.read_version(step.session, planned.state, planned.state.data)
    return keys.meeting(stored) if keys else stored


def _sort_out(
    table: Silver, chosen: Chosen, rows: "DataFrame", columns: Sequence[str], stored: "DataFrame | None"
) -> "DataFrame":
    """Return rows with ``_outcome``: what becomes of each; and stored rows that are to be written anew with them."""
    if stored is None:
        return of_all(table, rows)
    again = chosen.again is not None
    if table.keeps_versions:
        return intervals.rebuilt(table, rows, columns, stored, again=again)
    sorted_out = outcomes.against_stored(table, rows, columns, stored, again=again)
    if not table.parent:
        return sorted_out
    return sorted_out.unionByName(outcomes.going(table, rows, columns, stored), allowMissingColumns=True)


def _settle(step: Step, table: Silver, planned: Plan, chosen: Chosen, rows: "DataFrame", counted: Tally) -> None:
    """Write the side table first, and only if there is something to add to it or to take from it."""
    anew = planned.technique == "full"
    known = step.lake.exists(quarantine.name_of(table))
    if counted.rejected or (known and (anew or chosen.again is not None)):
        found = quarantine.rejected(step, rows.where(f"_outcome != '{outcomes.ADJUSTED}'"), chosen.records)
        point("quarantine.before_settle")
        quarantine.settle(step, table, found, chosen.again, anew=anew)
        point("quarantine.after_settle")


def _commit(step: Step, table: Silver, planned: Plan, rows: SortedOut, match: commits.Match, counted: Tally) -> None:
    """Commit what is written, or a watermark that moved; a full refresh is judged beforehand, with all rows at hand."""
    target, written = commits.Target(table.name, planned.state, commits.CURATED), rows.written(table)
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
        judged = not gate.needs_judging(step) or _passes(step, table, planned, rows, counted)
        account = planned.account(step.run, table, counted.rows, judged=judged)
        commits.merge(step.lake, target, written, match, account)
    _balance(step, table, counted.total)


def _passes(step: Step, table: Silver, planned: Plan, rows: SortedOut, counted: Tally) -> bool:
    """Judge only what comes, where that tells of the whole table: then readers have it with the same commit.

    Where it does not pass, the version is judged as a whole after its commit, which tells more.
    """
    rules = table_rules(gate.expectations_of(step))
    if planned.state is None or planned.state.good != planned.state.data:
        return False
    if not all(holds_by_change(rule, table.key) for rule in rules):
        return False

    def narrow(frame: "DataFrame", on: Mapping[str, str]) -> "DataFrame":
        return rows.held.keys(named(on)).meeting(frame, on)

    stored = gate.read_version(step.session, planned.state, planned.state.data)
    written = rows.written(table)
    # Only what is written takes the place of stored rows: those that are met but stay as they are count as well.
    staying = stored.join(written.select(*table.stored_key), on=list(table.stored_key), how="anti")
    whole = staying.unionByName(written)
    checks = gate.judge(step, gate.public(table, written), rules, gate.Whole(whole, narrow))[0]
    passed = all(check.passed for check in checks)
    if passed:
        counted.checks.extend(checks)
    return passed


def _balance(step: Step, table: Silver, total: int) -> None:
    """Hold the count of rows to write against what Delta says it wrote."""
    commit = next(step.lake.history(table.name, 1))
    merged = ("numTargetRowsInserted", "numTargetRowsUpdated")
    told = merged if commit.operation == "MERGE" else ("numOutputRows",)
    counted = sum(int(commit.metrics.get(metric, 0)) for metric in told)
    written = commit.replaced[1] if commit.replaced else counted
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
