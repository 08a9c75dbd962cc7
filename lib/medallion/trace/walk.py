"""From rows of a table to the rows of other tables that they were made of, at the versions of that time, to bronze."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
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
from medallion.trace.versions import upstream_at

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Place = tuple[str, int]  # a table's name, and its version


@dataclass(frozen=True)
class Part:
    """Rows of one table at one version that have a part in what is traced; ``for_`` says in which table's, and how.

    Rows are as they are stored, technical columns too.
    """

    table: Table
    state: State
    held: Held
    for_: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The table's full name."""
        return self.table.name

    @property
    def place(self) -> Place:
        """The table's name, and the version."""
        return self.name, self.state.version


@dataclass(frozen=True)
class Walk:
    """All that has a part in rows of a table: upstream last."""

    parts: tuple[Part, ...]

    @property
    def root(self) -> Part:
        """The rows that are traced."""
        return self.parts[0]

    def above(self, part: Part) -> dict[str, Part]:
        """Return the parts of the tables that a part's table reads, by name."""
        account = part.state.account
        marks = account.watermark if account else {}
        wanted = {(name, _data(self.parts, name, mark.version)) for name, mark in marks.items()}
        return {one.name: one for one in self.parts if one.place in wanted}


@dataclass
class _Asked:
    """Rows of a table that are asked for, by whom and why."""

    state: State
    frames: "list[DataFrame]" = field(default_factory=list)
    for_: list[tuple[str, str]] = field(default_factory=list)


class Stored(Work):
    """Reads upstream tables as readers see their rows, with technical columns."""

    def rows(self, name: str) -> "DataFrame":
        """Return the rows that the step's table sees of an upstream table; silver sees tombstones, too."""
        state, table = self.planned.upstream[name], self.step.run.tables[name]
        rows = gate.read_version(self.step.session, state, state.version)
        if isinstance(self.step.table, Silver):  # a reference holds for a tombstone, too
            return gate.one_a_key(table, rows)
        return gate.visible(table, rows)


@contextmanager
def down(run: Run, session: "SparkSession", state: State, where: "Mapping[str, Any]") -> Iterator[Walk]:
    """Walk from the rows of a table with such values down to bronze; what was found is held until the end.

    ``where`` pairs columns with values, None for a null.
    """
    with Holder() as holder:
        table = run.tables[state.name]
        rows = having(gate.visible(table, gate.read_version(session, state, state.version)), where)
        asked: dict[Place, _Asked] = {(state.name, state.version): _Asked(state, [rows])}
        parts = []
        for name in reversed(list(run.tables)):
            for place in sorted(place for place in asked if place[0] == name):
                part = _held(run.tables[name], asked[place], holder)
                parts.append(part)
                for upstream, frame, why in _made_of(as_of(run, part.state), session, part, holder):
                    one = asked.setdefault((upstream.name, upstream.version), _Asked(upstream))
                    one.frames.append(frame)
                    one.for_.append((name, why))
        yield Walk(tuple(parts))


def as_of(run: Run, state: State) -> Run:
    """Return the run with the date that a version's rows were made with."""
    told = state.account.run_date if state.account else None
    return replace(run, run_date=date.fromisoformat(told)) if told else run


def having(rows: "DataFrame", where: "Mapping[str, Any]") -> "DataFrame":
    """Return the rows that have such values, a None standing for null."""
    from pyspark.sql import functions as F

    types = dict(rows.dtypes)
    for column, value in where.items():
        rows = rows.where(F.col(column).eqNullSafe(F.lit(value).cast(types[column])))
    return rows


def _held(table: Table, asked: _Asked, holder: Holder) -> Part:
    rows = union(asked.frames)
    if len(asked.frames) > 1:
        key = ("_record_id",) if isinstance(table, Bronze) else getattr(table, "stored_key", getattr(table, "key", ()))
        rows = rows.dropDuplicates(list(key))
    return Part(table, asked.state, holder.hold(rows), tuple(dict.fromkeys(asked.for_)))


def _made_of(run: Run, session: "SparkSession", part: Part, holder: Holder) -> "Iterator[tuple[State, DataFrame, str]]":
    """Yield what rows were made of: an upstream table at its version, rows of it, and what part these have."""
    table, account = part.table, part.state.account
    if isinstance(table, Bronze) or account is None or part.held.is_empty:
        return
    upstream = {name: upstream_at(run.lake, name, account.watermark[name], part.state) for name in table.upstream}
    planned = Plan("trace", "", part.state, upstream, account.watermark, account.fingerprint)
    work = Stored(Step(run, table, lambda: session), planned, holder)
    ways = {Mart: _of_mart, Aggregate: _of_aggregate, Derived: _of_derived, Silver: _of_silver}
    for name, frame, why in ways[type(table)](work, table, part.held):  # type: ignore[operator]
        yield upstream[name], frame, why


def _of_mart(work: Work, table: Mart, rows: Held) -> "Iterator[tuple[str, DataFrame, str]]":
    driving = work.holder.hold(work.meeting(table.driving, rows.keys(named(table.key))))
    yield table.driving, driving.frame, "driving row"
    for join, frame in zip(table.joins, mart.lookups(work, table, driving), strict=True):
        yield join.table, frame, "looked up"
    for name, frame in zip(table.children, mart.children(work, table, driving), strict=True):
        yield name, frame, "child"


def _of_aggregate(work: Work, table: Aggregate, rows: Held) -> "Iterator[tuple[str, DataFrame, str]]":
    counted = work.meeting(table.reads, rows.keys(named(table.key)), table.dimensions)
    yield table.reads, counted.where(table.where) if table.where else counted, "counted"


def _of_derived(work: Work, table: Derived, rows: Held) -> "Iterator[tuple[str, DataFrame, str]]":
    partitions = rows.keys(named(table.partition)) if table.partition else None
    for name in table.reads:
        if partitions is None:
            yield name, work.rows(name), "all rows"
        else:
            yield name, work.meeting(name, partitions, table.partition), "same " + ", ".join(table.partition)


def _of_silver(work: Work, table: Silver, rows: Held) -> "Iterator[tuple[str, DataFrame, str]]":
    if table.parent:
        yield table.reads, work.meeting(table.reads, rows.keys(named(table.parent))), "parent"
    else:
        yield from _records(work, table, rows)
    for lookup in table.lookups:
        yield lookup.table, _looked_up(work, lookup, rows), "looked up"


def _records(work: Work, table: Silver, rows: Held) -> "Iterator[tuple[str, DataFrame, str]]":
    """Yield the records that rows say they are, and all others of the same key: earlier, later, sent again."""
    origin = {"_record_id": "_record_id", "_delivery": "_delivery"}
    own = work.holder.hold(work.meeting(table.reads, rows.keys(origin), origin))
    yield table.reads, own.frame, "the record"
    keyed = own.frame.select("_key").dropna()
    keys = work.holder.hold(keyed).keys({"_key": "_key"})
    if not keys.is_empty:
        known = work.rows(table.reads)
        yield table.reads, bronze.look_up(work.step.lake, table.reads, known, ["_key"], keys.meeting), "of the same key"


def _looked_up(work: Work, lookup: Lookup, rows: Held) -> "DataFrame":
    """Return the looked-up rows that rows may have met: of an as-of lookup all within its days."""
    from pyspark.sql import functions as F

    own = [*lookup.on, *([lookup.as_of[0]] if lookup.as_of else [])]
    mine = rows.frame.select([F.col(c).alias(f"_own_{c}") for c in own]).dropna().distinct()
    return work.rows(lookup.table).join(F.broadcast(mine), may_meet(lookup, own="_own_"), "left_semi")


def _data(parts: tuple[Part, ...], name: str, version: int) -> int:
    """Return the version of a table's part that holds the rows of a version: the newest that is no later."""
    return max((one.state.version for one in parts if one.name == name and one.state.version <= version), default=-1)
