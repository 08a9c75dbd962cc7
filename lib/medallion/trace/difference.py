"""What differs between two versions of a table, by key, as readers saw them; and which records made the difference."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from medallion import changes, gate
from medallion.account import Mark
from medallion.errors import ConfError
from medallion.lake import State
from medallion.session import from_arrow
from medallion.step import Run
from medallion.tables import Bronze, Table
from medallion.trace import walk

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KINDS = ("added", "removed", "changed")


@dataclass(frozen=True)
class Cause:
    """What one row is made of now and was not before: records that came or went, and definitions that changed."""

    came: list[dict[str, Any]]
    went: list[dict[str, Any]]
    redefined: list[str]


def between(run: Run, session: "SparkSession", before: State, after: State) -> "DataFrame":
    """Return a row a key that differs: its ``_kind``, and the columns as they ``_was_…`` and ``_is_…``.

    From the change feed of the versions between, where it is whole; else from both versions. Raises ConfError for
    bronze, whose rows never change.
    """
    from pyspark.sql import functions as F

    table = run.tables[before.name]
    if isinstance(table, Bronze):
        raise ConfError(f"{table.name}: append-only, its rows never differ; wanted a silver or gold table")
    moved = _moved(run, session, table, before, after)
    sides = {"_is_": moved.where("_net > 0"), "_was_": moved.where("_net < 0")}
    is_, was = (frame.select([F.col(c).alias(to + c) for c in table.columns]) for to, frame in sides.items())
    met = [F.col(f"_is_{column}").eqNullSafe(F.col(f"_was_{column}")) for column in table.key]
    is_, was = is_.withColumn("_in_after", F.lit(True)), was.withColumn("_in_before", F.lit(True))
    kind = F.when(F.col("_in_before").isNull(), "added").when(F.col("_in_after").isNull(), "removed")
    joined = is_.join(was, reduce(lambda a, b: a & b, met), "full")
    return joined.withColumn("_kind", kind.otherwise("changed")).drop("_in_before", "_in_after")


def cause(run: Run, session: "SparkSession", before: State, after: State, where: Mapping[str, Any]) -> Cause:
    """Return what the row with such values is made of at one version, and was not at the other."""
    told = []
    for state in (before, after):
        with walk.down(run, session, state, where) as found:
            records = [part for part in found.parts if isinstance(part.table, Bronze)]
            rows = [{"table": p.name, **row} for p in records for row in p.held.frame.toArrow().to_pylist()]
            marks = {part.name: part.state.account.fingerprint for part in found.parts if part.state.account}
        told.append(({(row["table"], row["_record_id"]): row for row in rows}, marks))
    (rows_before, marks_before), (rows_after, marks_after) = told
    came = [row for place, row in rows_after.items() if place not in rows_before]
    went = [row for place, row in rows_before.items() if place not in rows_after]
    both = marks_before.keys() & marks_after.keys()
    return Cause(came, went, sorted(name for name in both if marks_before[name] != marks_after[name]))


def _moved(run: Run, session: "SparkSession", table: Table, before: State, after: State) -> "DataFrame":
    """Return rows that came (``_net`` above 0) and went on balance."""
    import pyarrow as pa

    if before.version < after.version and run.lake.feed_gap(table.name, before.version, after.version) is None:
        found = changes.moved(session, table, after, Mark(after.version, since=before.version))
        return from_arrow(session, found) if isinstance(found, pa.Table) else found
    was, is_ = (gate.public(table, gate.read_version(session, one, one.version)) for one in (before, after))
    return is_.exceptAll(was).selectExpr("*", "1 AS _net").unionByName(was.exceptAll(is_).selectExpr("*", "-1 AS _net"))
