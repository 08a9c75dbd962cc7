"""Rows that a refresh holds while it works: a few on the driver, many in Spark's cache; and keys to meet others by."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

from medallion.session import from_arrow

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

FEW = 200_000  # rows that are fetched to the driver
_RANGES = 8  # of values, at most, that a scan is narrowed to by literals
_HIGHEST = "\U0010ffff"
Range = tuple[Any, Any]


@dataclass
class Holder:
    """Holds rows until the refresh that asked for them has ended."""

    many: bool = False  # rows to hold are expected to be too many for the driver
    _held: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Holder":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what is held."""
        self._held.close()

    def hold(self, frame: "DataFrame") -> "Held":
        """Compute rows once: a few are fetched to the driver, more stay in Spark's cache."""
        fetched = None if self.many else frame.limit(FEW + 1).toArrow()
        if fetched is not None and fetched.num_rows <= FEW:
            return Held(from_arrow(frame.sparkSession, fetched), fetched)
        return Held(self.cache(frame), None)

    def cache(self, frame: "DataFrame") -> "DataFrame":
        """Keep rows in Spark's cache once they are computed."""
        cached = frame.persist()
        self._held.callback(cached.unpersist)
        return cached


@dataclass(frozen=True)
class Held:
    """Rows that are computed; ``fetched`` where they are on the driver."""

    frame: "DataFrame"
    fetched: "pa.Table | None"

    @classmethod
    def at_hand(cls, session: "SparkSession", rows: "pa.Table") -> "Held":
        """Hold rows that are on the driver."""
        return cls(from_arrow(session, rows), rows)

    @property
    def is_empty(self) -> bool:
        """Tell whether there are none."""
        return self.count() == 0

    @cached_property
    def _count(self) -> int:
        return self.frame.count() if self.fetched is None else int(self.fetched.num_rows)

    def count(self) -> int:
        """Return how many rows there are."""
        return self._count

    def and_of(self, other: "Held") -> "Held":
        """Return these rows and others, of the same columns, together."""
        if self.fetched is None or other.fetched is None:
            return Held(self.frame.unionByName(other.frame), None)
        import pyarrow as pa

        rows = pa.concat_tables(
            [self.fetched, other.fetched.select(self.fetched.column_names)], promote_options="default"
        )
        return Held.at_hand(self.frame.sparkSession, rows)

    def came(self) -> "Held":
        """Return of rows that came or went those that came, without how often."""
        if self.fetched is None:
            return Held(self.frame.where("_net > 0").drop("_net"), None)
        import pyarrow.compute as pc

        came = self.fetched.filter(pc.greater(self.fetched.column("_net"), 0)).drop_columns(["_net"])
        return Held.at_hand(self.frame.sparkSession, came)

    def keys(self, columns: Mapping[str, str]) -> "Keys":
        """Return the distinct values of some columns, under new names: pairs of new name and column."""
        if self.fetched is None:
            return Keys.of(self.frame.selectExpr(*[f"`{old}` AS `{new}`" for new, old in columns.items()]).distinct())
        told = self.fetched.select(list(columns.values())).rename_columns(list(columns))
        return Keys.at_hand(self.frame.sparkSession, told)


@dataclass(frozen=True)
class Keys:
    """Distinct values of some columns; ``ranges`` between which those of a column lie, where that can be told.

    Nulls lie in no range: columns ``with_null`` have one. Ranges are rounded outwards, so that none of their ends is
    a value of the table's: what a commit is narrowed by stays in its log.
    """

    frame: "DataFrame"
    columns: tuple[str, ...]
    count: int
    ranges: Mapping[str, Sequence[Range]]
    with_null: frozenset[str]
    fetched: "pa.Table | None" = None

    @classmethod
    def of(cls, frame: "DataFrame") -> "Keys":
        """Return many distinct values as keys; one job finds between which they lie."""
        from pyspark.sql import functions as F

        told = [column for column, type_ in frame.dtypes if _has_order(type_)]
        ends = [F.struct(F.min(c), F.max(c), F.count_if(F.col(c).isNull())) for c in told]
        count, *found = frame.agg(F.count("*"), *ends).first() or (0,)
        known = dict(zip(told, found, strict=True))
        ranges = {c: _rounded([(low, high)] if low is not None else []) for c, (low, high, _) in known.items()}
        return cls(frame, tuple(frame.columns), count, ranges, frozenset(c for c, found in known.items() if found[2]))

    @classmethod
    def at_hand(cls, session: "SparkSession", rows: "pa.Table") -> "Keys":
        """Return the distinct ones of values on the driver as keys."""
        told = rows.group_by(rows.column_names, use_threads=False).aggregate([])
        return cls(from_arrow(session, told), tuple(told.column_names), told.num_rows, *_ranges_of(told), told)

    @property
    def is_empty(self) -> bool:
        """Tell whether there are none."""
        return self.count == 0

    @property
    def within(self) -> dict[str, Sequence[Range]]:
        """The ranges of the columns whose every value lies in one."""
        return {column: found for column, found in self.ranges.items() if column not in self.with_null}

    def without_null(self) -> "Keys":
        """Return the keys of which no column is null."""
        if self.fetched is None:
            return Keys.of(self.frame.dropna()) if self.with_null else self
        return Keys.at_hand(self.frame.sparkSession, self.fetched.drop_null())

    def and_of(self, other: "Keys") -> "Keys":
        """Return these keys and others, of the same columns, together."""
        if self.fetched is None or other.fetched is None:
            return Keys.of(self.frame.unionByName(other.frame).distinct())
        import pyarrow as pa

        return Keys.at_hand(
            self.frame.sparkSession, pa.concat_tables([self.fetched, other.fetched.select(self.columns)])
        )

    def of_columns(self, columns: Sequence[str]) -> "Keys":
        """Return the values of some of the columns; how many they are is not counted again."""
        ranges = {column: found for column, found in self.ranges.items() if column in columns}
        return Keys(self.frame.select(*columns).distinct(), tuple(columns), self.count, ranges, self.with_null)

    def meeting(self, rows: "DataFrame", on: Mapping[str, str] | None = None) -> "DataFrame":
        """Return the rows whose values are among the keys, nulls meeting nulls; ``on`` pairs keys with expressions."""
        return self._join(self.narrowed(rows, on), on, "left_semi")

    def without(self, rows: "DataFrame") -> "DataFrame":
        """Return the rows whose values are not among the keys."""
        return self._join(rows, None, "left_anti")

    def narrowed(self, rows: "DataFrame", on: Mapping[str, str] | None = None) -> "DataFrame":
        """Return rows in the ranges of the keys only: Delta passes over files that hold none."""
        from pyspark.sql import functions as F

        for column, expression in (on or named(self.columns)).items():
            if column in self.ranges:
                within = [F.expr(expression).between(*map(F.lit, one)) for one in self.ranges[column]]
                null = [F.expr(expression).isNull()] if column in self.with_null else []
                rows = rows.where(reduce(lambda a, b: a | b, [*within, *null], F.lit(False)))
        return rows

    def _join(self, rows: "DataFrame", on: Mapping[str, str] | None, how: str) -> "DataFrame":
        from pyspark.sql import functions as F

        places = on or named(self.columns)
        mine = self.frame.select([F.col(column).alias(f"_key_{column}") for column in self.columns])
        met = [F.expr(expression).eqNullSafe(F.col(f"_key_{column}")) for column, expression in places.items()]
        return rows.join(F.broadcast(mine), reduce(lambda a, b: a & b, met), how)


def named(columns: Iterable[str]) -> dict[str, str]:
    """Return columns paired with themselves."""
    return {column: column for column in columns}


def _ranges_of(told: "pa.Table") -> tuple[dict[str, list[Range]], frozenset[str]]:
    import pyarrow.compute as pc

    found, with_null = {}, set()
    for name in told.column_names:
        column = told.column(name)
        if column.null_count:
            with_null.add(name)
        if _has_order(str(column.type)):
            values = column.drop_null().unique()
            found[name] = _rounded(_cut(values.take(pc.array_sort_indices(values)).to_pylist()))
    return found, frozenset(with_null)


def _cut(values: list[Any]) -> list[Range]:
    """Cut sorted values into a few ranges, at the widest gaps."""
    if not values:
        return []
    places = [_place(value, values[0], values[-1]) for value in values]
    gaps = sorted(range(1, len(values)), key=lambda at: places[at - 1] - places[at])[: _RANGES - 1]
    starts = [0, *sorted(gaps)]
    return [(values[start], values[end - 1]) for start, end in zip(starts, [*starts[1:], len(values)], strict=True)]


def _place(value: Any, lowest: Any, highest: Any) -> float:
    if not isinstance(value, str):
        return float((value - lowest) / dt.timedelta(days=1) if isinstance(value, dt.date) else value)
    shared = next((at for at, (a, b) in enumerate(zip(lowest, highest, strict=False)) if a != b), len(lowest))
    return float(int.from_bytes(value[shared : shared + 6].encode()[:6].ljust(6, b"\0"), "big"))


def _rounded(ranges: Iterable[Range]) -> list[Range]:
    return [(_down(low), _up(high)) for low, high in ranges]


def _down(value: Any) -> Any:
    if isinstance(value, str):
        return value[:-1]
    return value - value % 64 - 1 if isinstance(value, int) else value


def _up(value: Any) -> Any:
    if isinstance(value, str):
        return value[:-1] + _HIGHEST
    return value - value % 64 + 64 if isinstance(value, int) else value


def _has_order(type_: str) -> bool:
    """Tell whether values of a type, of Spark or of Arrow, are whole numbers, texts, days or instants."""
    return type_.startswith(("string", "tinyint", "smallint", "int", "bigint", "date", "timestamp"))
