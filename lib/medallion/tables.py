"""What a table is: the facts a job module declares, and the pure function it carries.

One module a table, ``jobs/<pipeline>/<layer>/<table>.py``; its full name follows from its place.
The engine alone reads and writes: a transform takes DataFrames and returns one.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Transform = Callable[..., Any]  # DataFrames in declared order, parameters by keyword -> DataFrame
Columns = Mapping[str, tuple[str, str]]  # name -> (Spark type, what it holds)

# What a silver transform carries along from a bronze record, so that each row keeps its origin.
CARRIED = ("_record_id", "_delivery", "_position")
RUN_DATE = "run_date"
# What the engine adds to each version that a table with history="scd2" keeps.
INTERVAL = {
    "valid_from": "Since when this version held: the first column of its sequence",
    "valid_to": "Until when, that moment excluded; null for the newest version of a key",
    "is_current": "Whether this is the newest version of its key",
}


@dataclass(frozen=True)
class Lookup:
    """Rows of another table that a silver row needs; the engine joins them in and tells who lacks one.

    ``on`` pairs own columns with columns of the looked-up table; a row with a null in one of its own
    needs no lookup. ``take`` pairs looked-up columns with the names they get. With ``as_of`` (own date,
    looked-up date) the latest row on or before the own date counts, at most ``within_days`` older.
    A row that finds nothing waits, and is taken up by itself when the lookup arrives or changes.
    """

    table: str
    on: Mapping[str, str]
    take: Mapping[str, str] = field(default_factory=dict)
    as_of: tuple[str, str] | None = None
    within_days: int = 7


@dataclass
class _Declared:
    """What every kind of table has.

    ``personal`` names columns that say something of a person, or stand for one; what is made of them need not be named.
    """

    columns: Columns = field(kw_only=True)
    personal: tuple[str, ...] = field(default=(), kw_only=True, repr=False)  # no part of what fingerprints look at
    function: Transform | None = field(default=None, init=False)
    name: str = field(default="", init=False)
    doc: str = field(default="", init=False)

    def transform(self, function: Transform) -> Transform:
        """Register the function that makes this table's rows, and return it unchanged for tests."""
        self.function = function
        return function

    @property
    def inputs(self) -> tuple[str, ...]:
        """Full names of the tables that the transform takes, in the order it takes them."""
        raise NotImplementedError  # each kind answers from its own facts

    @property
    def upstream(self) -> tuple[str, ...]:
        """Full names of all tables this one depends on, lookups included."""
        return self.inputs

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names that the transform takes by keyword: the pipeline's parameters, or ``run_date``."""
        return _keywords(self.function)


@dataclass
class Bronze(_Declared):
    """Append-only records of one source, exactly as received; the source stands in the pipeline's conf."""

    source: str
    columns: Columns = field(default_factory=dict, kw_only=True)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Bronze reads landing, no table."""
        return ()


@dataclass
class Silver(_Declared):
    """Curated rows, one a key: the greatest ``sequence`` wins, ties go to the greatest record id.

    With ``history="scd2"`` the versions that it wins against are kept, each with the interval in which it held
    (`INTERVAL`) by the first column of the sequence, a date or timestamp; readers see the newest.
    ``reads`` is a bronze table; or a silver table, the parent, whose key ``parent`` names: then rows
    are replaced per parent, with the parent's winning version. ``deleted`` names a boolean column
    that turns a row into a tombstone. ``enrich`` adds what needs the lookups' columns.
    """

    reads: str
    key: tuple[str, ...]
    sequence: tuple[str, ...] = ()
    parent: tuple[str, ...] = ()
    deleted: str | None = None
    lookups: tuple[Lookup, ...] = ()
    history: Literal["scd1", "scd2"] = "scd1"
    enrichment: Transform | None = field(default=None, init=False)

    def enrich(self, function: Transform) -> Transform:
        """Register the function that completes rows once their lookups are joined in."""
        self.enrichment = function
        return function

    @property
    def keeps_versions(self) -> bool:
        """Whether a key may have several rows, the versions it went through."""
        return self.history == "scd2"

    @property
    def stored_key(self) -> tuple[str, ...]:
        """What makes a stored row unique."""
        return (*self.key, "_record_id", "_ordinal") if self.keeps_versions else self.key

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one table that rows come from."""
        return (self.reads,)

    @property
    def upstream(self) -> tuple[str, ...]:
        """The table that rows come from, and those looked up."""
        return (self.reads, *dict.fromkeys(lookup.table for lookup in self.lookups))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names that transform or enrichment take by keyword."""
        return tuple(dict.fromkeys((*_keywords(self.function), *_keywords(self.enrichment))))


@dataclass(frozen=True)
class Join:
    """A table that a mart looks up by its key, and the columns of which table meet that key."""

    table: str
    of: str
    columns: tuple[str, ...]


@dataclass
class Mart(_Declared):
    """One row a key of the ``driving`` table, with lookups by their key and children by their columns.

    ``lookups`` pairs a table with the column of the driving table that meets its key, or of another lookup, said with
    that one's name: ``"shop.silver.customers.country"``; ``children`` a table with its column that meets the key of
    the driving table. A tuple where a key has several columns, in the key's order. All joins live in marts.
    """

    driving: str
    key: tuple[str, ...]
    lookups: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    children: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Driving table, lookups, children, in declared order."""
        return (self.driving, *self.lookups, *self.children)

    @property
    def joins(self) -> list[Join]:
        """How each lookup is met, in declared order."""
        found = []
        for table, told in self.lookups.items():
            ways = [column.rpartition(".") for column in _several(told)]
            found.append(Join(table, ways[0][0] or self.driving, tuple(column for _, _, column in ways)))
        return found

    def meets(self, child: str) -> tuple[str, ...]:
        """Return the columns of a child that meet the driving table's key."""
        return _several(self.children[child])


@dataclass(frozen=True)
class Measure:
    """What an aggregate adds up: ``kind`` of one SQL expression over a row, perhaps only ``where`` it holds.

    Nulls do not count. ``first`` and ``last`` are the values at the least and the greatest ``by``, of equal ones the
    least and the greatest value; ``percentile`` is exact, ``at`` a share from 0 to 1, between two values in proportion.
    """

    kind: Literal["count", "count_if", "count_distinct", "sum", "min", "max", "first", "last", "percentile"]
    of: str = "1"
    where: str | None = None
    by: str | None = None
    at: float | None = None

    @property
    def adds_up(self) -> bool:
        """Whether it is a sum over rows, to which what changed can be added."""
        return self.kind in ("count", "count_if", "sum")

    @property
    def value(self) -> str:
        """What a row brings in, null where it does not count: SQL, with what orders it for ``first`` and ``last``."""
        conditions = [self.where] if self.where else []
        of = self.of
        if self.kind == "count_if":
            conditions, of = [*conditions, self.of], "1"
        if self.by:
            conditions = [*conditions, f"({self.by}) IS NOT NULL", f"({self.of}) IS NOT NULL"]
            of = f"named_struct('by', {self.by}, 'of', {self.of})"
        return f"CASE WHEN {' AND '.join(f'({one})' for one in conditions)} THEN {of} END" if conditions else of

    @property
    def sql(self) -> str:
        """The measure as a SQL aggregate."""
        return self.over(self.value)

    def over(self, value: str) -> str:
        """Return the SQL aggregate over a row's `value`."""
        calls = {
            "count": f"count({value})",
            "count_if": f"count({value})",
            "count_distinct": f"count(DISTINCT {value})",
            "first": f"min({value}).of",
            "last": f"max({value}).of",
            "percentile": f"percentile({value}, {self.at})",
        }
        return calls.get(self.kind, f"{self.kind}({value})")


# What an aggregate stores beside its columns, for refreshes by what changed; readers do not see it.
ROWS = "_rows"  # rows in a group: one that has none left goes
VALUES = "_values_"  # before a sum's name: values in it, since a sum of none is null


@dataclass
class Aggregate(_Declared):
    """Measures by dimensions over exactly one table; one row a combination of dimensions, nulls kept.

    Dimensions are SQL expressions over a row of ``reads``; ``where`` keeps only some of its rows.
    """

    reads: str
    dimensions: Mapping[str, str]
    measures: Mapping[str, Measure]
    where: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """The dimensions are the key."""
        return tuple(self.dimensions)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one table that is added up."""
        return (self.reads,)

    @property
    def kept(self) -> dict[str, Measure]:
        """What is stored beside the declared columns: counts of rows, and of values in each sum."""
        counts = {VALUES + name: Measure("count", m.value) for name, m in self.measures.items() if m.kind == "sum"}
        return {ROWS: Measure("count"), **counts}


@dataclass
class Derived(_Declared):
    """A function over small gold tables: ratios, growth, ranks, running totals, pairs.

    ``partition`` names the columns within which its windows stay, where they stay within any, each with the SQL
    expression that gives it in a row of every table read.
    """

    reads: tuple[str, ...]
    key: tuple[str, ...]
    partition: Mapping[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tables it is derived from, in declared order."""
        return self.reads


Gold = Mart | Aggregate | Derived
Table = Bronze | Silver | Mart | Aggregate | Derived


def layer_of(name: str) -> str:
    """Return the layer in a full name: ``silver`` of ``shop.silver.orders``."""
    return name.split(".")[1]


def backquoted(name: str) -> str:
    """Return a name or a path as Spark's SQL quotes it, whatever is in it."""
    return f"`{name.replace('`', '``')}`"


def sql_name(name: str) -> str:
    """Return the name a table has in Spark SQL: ``shop_silver.orders`` for ``shop.silver.orders``."""
    pipeline, layer, table = name.split(".")
    return f"{pipeline}_{layer}.{table}"


def seen(table: Table) -> str | None:
    """Return the SQL condition that readers see a stored row: the newest version, no tombstone; None for all."""
    return " AND ".join(mark if wanted else f"NOT {mark}" for mark, wanted in marks(table).items()) or None


def marks(table: Table) -> dict[str, bool]:
    """Return the columns that mark stored rows, with the value that those which readers see have."""
    if not isinstance(table, Silver):
        return {}
    return {**({"is_current": True} if table.keeps_versions else {}), "_deleted": False}


def newest(table: Table) -> str | None:
    """Return the SQL condition that a stored row is the newest version of its key; None where there is one a key."""
    return "is_current" if isinstance(table, Silver) and table.keeps_versions else None


def _several(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else columns


def _keywords(function: Transform | None) -> tuple[str, ...]:
    if function is None:
        return ()
    parameters = inspect.signature(function).parameters.items()
    return tuple(name for name, p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
