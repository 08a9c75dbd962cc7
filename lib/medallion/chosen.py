"""Which records a silver refresh curates: all, new ones, those waiting or replayed, those that a lookup touched."""

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from medallion import bronze, changes, gate, quarantine
from medallion.curate import may_meet
from medallion.planner import Plan
from medallion.session import from_arrow
from medallion.step import Step
from medallion.tables import Lookup, Silver

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Chosen:
    """The records to curate; ``again`` holds the ids of those that were judged before, if any were."""

    records: "DataFrame"
    again: "DataFrame | None" = None


def choose(step: Step, table: Silver, planned: Plan) -> Chosen:
    """Choose the records to curate: all; or the new ones, those waiting, replayed, or touched by a lookup."""
    from pyspark.sql import functions as F

    driving = planned.upstream[table.reads]
    known = gate.upstream_rows(step, driving)
    if planned.technique == "full":
        return Chosen(known)
    touched = _touched(step, table, planned, known)
    if table.reads not in planned.changed:
        return Chosen(known.limit(0) if touched is None else _of_ids(step, table, known, touched), touched)
    records, chosen = _with_new(step, table, planned, known)
    if touched is not None:
        again = F.broadcast(touched.withColumn("_again", F.lit(True)))
        records, chosen = records.join(again, on="_record_id", how="left"), chosen | F.col("_again")
    return Chosen(records.where(chosen).select(*known.columns), touched)


def _of_ids(step: Step, table: Silver, known: "DataFrame", ids: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as F

    def met(rows: "DataFrame") -> "DataFrame":
        return rows.join(F.broadcast(ids), on="_record_id", how="semi")

    return met(known) if table.parent else bronze.look_up(step.lake, table.reads, known, ["_record_id"], met)


def _with_new(step: Step, table: Silver, planned: Plan, known: "DataFrame") -> tuple["DataFrame", "Column"]:
    """Return the driving table's rows, and the condition that a row is new since the last commit."""
    from pyspark.sql import functions as F

    mark = planned.marks[table.reads]
    if not table.parent:
        source = getattr(step.run.tables[table.reads], "source", "")
        return known, F.col("_delivery") > bronze.delivered(step.lake, table.reads, source, mark.since)
    moved = changes.feed(step.session, planned.upstream[table.reads], mark.since, mark.version)
    keys = changes.at_hand(moved.select(*table.parent).distinct()).withColumn("_new", F.lit(True))
    return known.join(F.broadcast(keys), on=list(table.parent), how="left"), F.col("_new")


def _touched(step: Step, table: Silver, planned: Plan, known: "DataFrame") -> "DataFrame | None":
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
    met = may_meet(lookup, theirs="_moved_")
    return stored.where("NOT _deleted").join(F.broadcast(values), on=met, how="semi").select("_record_id")
