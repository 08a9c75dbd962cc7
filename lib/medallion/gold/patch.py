"""What an incremental refresh is to write, and what it reads it from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

from medallion import changes, gate
from medallion.account import Mark
from medallion.held import Held, Holder, Keys, named
from medallion.lake import State
from medallion.planner import Plan
from medallion.step import Step
from medallion.tables import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GONE = "_gone"


class Unfollowed(Exception):
    """What changed cannot be followed after all: the refresh has to be a full one; says why."""


@dataclass(frozen=True)
class Patch:
    """Rows to write: one a key that a change may have touched, ``_gone`` where it is to have none.

    ``keys`` are those keys, ``changed`` how many rows of upstream tables came or went, ``technique`` how it was made.
    """

    rows: "DataFrame"
    keys: Keys
    changed: int
    technique: str


@dataclass(frozen=True)
class Work:
    """One incremental refresh: what it is planned on, and what it holds meanwhile."""

    step: Step
    planned: Plan
    holder: Holder
    looked_into: list[int] = field(default_factory=list)  # bytes of files, those of change feeds apart

    def changes(self, name: str) -> Held:
        """Return the rows of an upstream table that came or went on balance, with ``_net``; none where it stayed."""
        import pyarrow as pa

        found = changes.moved(self.step.session, *self._of(name))
        return Held.at_hand(self.step.session, found) if isinstance(found, pa.Table) else self.holder.hold(found)

    def images(self, name: str) -> "DataFrame":
        """Return the rows of an upstream table that came and went, with their ``_sign``."""
        table, state, mark = self._of(name)
        return changes.images(table, changes.feed(self.step.session, state, mark.since, mark.version))

    def _of(self, name: str) -> tuple[Table, State, Mark]:
        return self.step.run.tables[name], self.planned.upstream[name], self.planned.marks[name]

    def rows(self, name: str) -> "DataFrame":
        """Return an upstream table at its good version, as readers see it."""
        state = self.planned.upstream[name]
        return gate.public(self.step.run.tables[name], gate.read_version(self.step.session, state, state.good))

    def meeting(self, name: str, keys: Keys, on: Mapping[str, str] | None = None) -> "DataFrame":
        """Return the rows of an upstream table that meet keys; see `Keys.meeting`."""
        self.look_into(self.planned.upstream[name], keys, on)
        return keys.meeting(self.rows(name), on)

    def stored(self, keys: Keys) -> "DataFrame":
        """Return those of the table's own rows, as they are now and with what readers do not see, that meet keys."""
        self.look_into(self.own, keys)
        return keys.meeting(gate.read_version(self.step.session, self.own, self.own.data))

    def look_into(self, state: State, keys: Keys, on: Mapping[str, str] | None = None) -> None:
        """Count the bytes of the files of a table that may hold rows which meet keys."""
        places = on or named(keys.columns)
        ranges = {places[key]: ends for key, ends in keys.within.items()}
        self.looked_into.append(self.step.lake.bytes_within(state, ranges))

    @property
    def bytes_read(self) -> int:
        """The bytes of the files that the refresh had to look into, up to now."""
        fed = self.planned.cost.changes if self.planned.cost else ()
        return sum(self.looked_into) + sum(one.bytes for one in fed)

    @property
    def own(self) -> State:
        """The state of the table itself: one without rows is refreshed in full."""
        assert self.planned.state is not None
        return self.planned.state


def with_gone(keys: "DataFrame", made: "DataFrame", how: str) -> "DataFrame":
    """Return the rows made of keys, and those keys that have none as ``_gone``; nulls meet nulls."""
    from pyspark.sql import functions as F

    mine = keys.select([F.col(column).alias(f"_key_{column}") for column in keys.columns])
    met = [F.col(f"_key_{column}").eqNullSafe(F.col(column)) for column in keys.columns]
    joined = mine.join(made.withColumn("_made", F.lit(True)), reduce(lambda a, b: a & b, met), how)
    told = [F.coalesce(column, f"_key_{column}").alias(column) for column in keys.columns]
    others = [column for column in made.columns if column not in keys.columns]
    return joined.select(*told, *others, F.col("_made").isNull().alias(GONE))


def union(frames: "Iterable[DataFrame]") -> "DataFrame":
    """Return the rows of frames with the same columns."""
    return reduce(lambda a, b: a.unionByName(b), frames)
