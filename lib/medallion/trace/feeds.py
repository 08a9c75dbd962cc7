"""From rows of a table up to the rows of other tables that they have a part in, as these stand."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medallion import bronze, gate
from medallion.curate import may_meet
from medallion.gold import mart
from medallion.gold.patch import Work, union
from medallion.held import Held, Holder, named
from medallion.lake import State
from medallion.planner import Plan
from medallion.step import Run, Step
from medallion.tables import Aggregate, Bronze, Derived, Lookup, Mart, Silver, Table
from medallion.trace.versions import state_at
from medallion.trace.walk import Part, Stored, Walk, having

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@contextmanager
def up(run: Run, session: "SparkSession", state: State, where: "Mapping[str, Any]") -> Iterator[Walk]:
    """Walk from rows of a table up to all rows that these have a part in, as they stand; held until the end.

    ``where`` pairs columns with values, None for a null. The parts say in ``for_`` what they are made of.
    """
    with Holder() as holder:
        rows = gate.read_version(session, state, state.version)
        if isinstance(run.tables[state.name], Bronze):
            rows = bronze.look_up(run.lake, state.name, rows, list(where), lambda some: having(some, where))
        else:
            rows = having(rows, where)
        found = {state.name: Part(run.tables[state.name], state, holder.hold(rows), ())}
        for name, table in run.tables.items():
            sources = [one for one in table.upstream if one in found]
            if not sources or not run.lake.exists(name):
                continue
            part = _fed(run, session, state_at(run.lake, name), [found[one] for one in sources], holder)
            if not part.held.is_empty:
                found[name] = part
        yield Walk(tuple(found.values()))


def _fed(run: Run, session: "SparkSession", state: State, sources: list[Part], holder: Holder) -> Part:
    """Return the rows of a table that rows of tables it reads have a part in."""
    table = run.tables[state.name]
    states = {one.name: one.state for one in sources}
    upstream = {name: states.get(name) or state_at(run.lake, name) for name in table.upstream}
    planned = Plan("trace", "", state, upstream, {}, "")
    work = Stored(Step(run, table, lambda: session), planned, holder)
    stored = gate.visible(table, gate.read_version(session, state, state.version))
    found = [(source.name, why, rows) for source in sources for why, rows in _feeds(work, table, source, stored)]
    key = list(getattr(table, "stored_key", getattr(table, "key", ())))
    rows = union(frame for _, _, frame in found).dropDuplicates(key) if found else stored.limit(0)
    return Part(table, state, holder.hold(rows), tuple(dict.fromkeys((name, why) for name, why, _ in found)))


def _feeds(work: Work, table: Table, source: Part, stored: "DataFrame") -> "Iterator[tuple[str, DataFrame]]":
    """Yield the stored rows that rows of one upstream table have a part in, and what part."""
    name, rows = source.name, source.held
    if isinstance(table, Silver):
        if name == table.reads:
            by = table.parent or ("_record_id",)
            yield "parent" if table.parent else "the record", rows.keys(named(by)).meeting(stored)
        yield from (("looked up", _using(lookup, rows, stored)) for lookup in table.lookups if lookup.table == name)
    elif isinstance(table, Mart):
        yield from _feeds_mart(work, table, source, stored)
    elif isinstance(table, Aggregate):
        counted = rows.frame.where(table.where) if table.where else rows.frame
        groups = counted.selectExpr(*[f"{told} AS `{column}`" for column, told in table.dimensions.items()])
        yield "counted", work.holder.hold(groups.distinct()).keys(named(table.key)).meeting(stored)
    elif isinstance(table, Derived) and table.partition:
        places = rows.frame.selectExpr(*[f"{told} AS `{column}`" for column, told in table.partition.items()])
        keys = work.holder.hold(places.distinct()).keys(named(table.partition))
        yield "same " + ", ".join(table.partition), keys.meeting(stored)
    else:
        yield "all rows", stored


def _feeds_mart(work: Work, table: Mart, source: Part, stored: "DataFrame") -> "Iterator[tuple[str, DataFrame]]":
    name, rows, key = source.name, source.held, named(table.key)
    if name == table.driving:
        yield "driving row", rows.keys(key).meeting(stored)
    if name in table.children:
        yield "child", rows.keys(dict(zip(table.key, table.meets(name), strict=True))).meeting(stored)
    if name in table.lookups:
        keys = rows.keys({f"k{at}": c for at, c in enumerate(mart.key_of(work, name))})
        driving = work.holder.hold(union(mart.using(work, table, name, keys)))
        yield "looked up", driving.keys(key).meeting(stored)


def _using(lookup: Lookup, rows: Held, stored: "DataFrame") -> "DataFrame":
    """Return stored rows that may have met looked-up rows: of an as-of lookup all within its days."""
    from pyspark.sql import functions as F

    there = [*lookup.on.values(), *([lookup.as_of[1]] if lookup.as_of else [])]
    theirs = rows.frame.select([F.col(c).alias(f"_there_{c}") for c in dict.fromkeys(there)]).dropna().distinct()
    return stored.join(F.broadcast(theirs), may_meet(lookup, theirs="_there_"), "left_semi")
