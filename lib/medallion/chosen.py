"""Which records a silver refresh curates: all, new ones, those waiting or replayed, those that a lookup touched."""

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from medallion import bronze, changes, gate, quarantine
from medallion.curate import may_meet
from medallion.held import FEW, Held, Holder
from medallion.planner import Plan
from medallion.session import from_arrow
from medallion.step import Step
from medallion.tables import Lookup, Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


_MUCH_BYTES = 32 * 1024 * 1024  # of Parquet, which takes ten times as much at hand


@dataclass(frozen=True)
class Chosen:
    """The records to curate; ``again`` holds the ids of those that were judged before, if any were.

    Of a table of children ``parents`` are the records, held, where they are not all there are.
    """

    records: "DataFrame"
    again: "DataFrame | None" = None
    parents: Held | None = None


def choose(step: Step, table: Silver, planned: Plan, holder: Holder) -> Chosen:
    """Choose the records to curate: all; or the new ones, those waiting, replayed, or touched by a lookup."""
    known = gate.upstream_rows(step, planned.upstream[table.reads])
    if planned.technique == "full":
        return Chosen(known)
    held = _touched(step, table, planned, known, holder)
    touched = held.frame if held is not None else None
    holder.many |= held is not None and is_much(step, table, planned, held.count())
    if not table.parent:
        return Chosen(_records(step, table, planned, known, touched), touched)
    rows = _parents(step, table, planned, known)
    if touched is not None:
        again = _by_id(known, touched)
        rows = again if rows is None else rows.unionByName(again).dropDuplicates(list(table.parent))
    parents = holder.hold(known.limit(0) if rows is None else rows)
    return Chosen(parents.frame, touched, parents)


def is_much(step: Step, table: Silver, planned: Plan, besides: int = 0) -> bool:
    """Tell whether what changed in the table read since the last commit is too much to have it at hand.

    At most so much changed as its commits say; ``besides`` are records that are judged again.
    """
    up, mark = planned.upstream[table.reads], planned.marks[table.reads]
    rows, stored = besides, step.lake.stored(up.name)
    if table.reads in planned.changed:
        changed = step.lake.changed_between(table.reads, mark.since, mark.version)
        rows += stored.rows if changed is None else changed
    return rows > FEW // 4 or rows * stored.bytes > _MUCH_BYTES * max(stored.rows, 1)


def _records(step: Step, table: Silver, planned: Plan, known: "DataFrame", touched: "DataFrame | None") -> "DataFrame":
    """Return the records of bronze that came since the last commit, and those that were touched."""
    from pyspark.sql import functions as F

    new, others = known.limit(0), known
    if table.reads in planned.changed:
        source = getattr(step.run.tables[table.reads], "source", "")
        since = bronze.delivered(step.lake, table.reads, source, planned.marks[table.reads].since)
        new, others = known.where(F.col("_delivery") > since), known.where(F.col("_delivery") <= since)
    if touched is None:
        return new
    again = bronze.look_up(step.lake, table.reads, others, ["_record_id"], lambda rows: _by_id(rows, touched))
    return new.unionByName(again) if table.reads in planned.changed else again


def _parents(step: Step, table: Silver, planned: Plan, known: "DataFrame") -> "DataFrame | None":
    """Return the parent rows that came since the last commit, as they are now: of what changed, not of all there is."""
    if table.reads not in planned.changed:
        return None
    mark = planned.marks[table.reads]
    moved = changes.feed(step.session, planned.upstream[table.reads], mark.since, mark.version)
    return changes.came(gate.one_a_key(step.run.tables[table.reads], moved), table.parent).select(*known.columns)


def _by_id(rows: "DataFrame", ids: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as F

    return rows.join(F.broadcast(ids), on="_record_id", how="semi")


def _touched(step: Step, table: Silver, planned: Plan, known: "DataFrame", holder: Holder) -> "Held | None":
    """Return the ids of records to judge again, or None: where a lookup moved, a parent went on, or as asked for."""
    import pyarrow as pa

    asked = step.run.asked
    moved = [lookup for lookup in table.lookups if lookup.table in planned.changed]
    entries = quarantine.entries(step.run, step.session, table)
    ids: list[DataFrame] = []
    if table.name in asked.tables:
        ids.append(from_arrow(step.session, pa.table({"_record_id": list(asked.records)})))
    if entries is not None and (asked.quarantined or moved):
        # Where a lookup gives columns, what it gave may be why a row was rejected.
        anew = asked.quarantined or any(lookup.take for lookup in moved)
        chosen = entries if anew else entries.where("outcome = 'waiting'")
        ids.append(chosen.select("_record_id"))
    if entries is not None and table.parent and table.reads in planned.changed:
        standing = known.where("NOT _deleted").select("_record_id")
        ids.append(entries.select("_record_id").join(standing, on="_record_id", how="anti"))
    if planned.state is not None:
        stored = gate.read_version(step.session, planned.state, planned.state.data)
        using = [_using(step, stored, lookup, planned, holder) for lookup in moved]
        ids += [found for found in using if found is not None]
    touched = holder.hold(reduce(lambda a, b: a.union(b), ids).distinct()) if ids else None
    return None if touched is None or touched.is_empty else touched


def _using(step: Step, stored: "DataFrame", lookup: Lookup, planned: Plan, holder: Holder) -> "DataFrame | None":
    """Return the records behind stored rows that used a looked-up row that changed, or now would; None if none did."""
    from pyspark.sql import functions as F

    mark = planned.marks[lookup.table]
    moved = changes.feed(step.session, planned.upstream[lookup.table], mark.since, mark.version)
    dates = [lookup.as_of[1]] if lookup.as_of else []
    values = changes.net(moved, list(dict.fromkeys([*lookup.on.values(), *dates, *lookup.take])))
    held = holder.hold(values.select([F.col(column).alias(f"_moved_{column}") for column in values.columns]))
    if held.is_empty:
        return None
    met = may_meet(lookup, theirs="_moved_")
    return stored.where("NOT _deleted").join(F.broadcast(held.frame), on=met, how="semi").select("_record_id")
