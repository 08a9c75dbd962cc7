"""What a refresh of a gold table costs, by what changed or in full; told from logs, without Spark.

Seconds are of one small machine (docs/performance.md); what a table's own refreshes took against them corrects them.
Only which way is the cheaper one matters.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from statistics import median

from medallion import log_files
from medallion.account import Mark
from medallion.lake import Commit, Lake, State, Stored
from medallion.step import Run
from medallion.tables import Aggregate, Derived, Gold, Mart

# Seconds that a refresh takes whatever its size, and in full bytes of Parquet that it works through in one more.
_FIXED = {"full": 1.5, "incremental": 2.5}
_JOINED_A_SECOND = 17e6
_SUMMED_A_SECOND = 60e6
_CHANGED_A_SECOND = 17_000  # rows
_MOST = 0.3  # share of rows that change; from there on nearly all files are written anew anyway
_REMEMBERED = 50  # commits that are looked through for how long refreshes took
_FACTOR = 3.0  # what they took counts up to so many times more or less: one slow moment says little


@dataclass(frozen=True)
class Change:
    """How much of an upstream table changed: rows, of how many, and the bytes that tell; None where all may have."""

    name: str
    rows: int | None
    of: int
    bytes: int

    @property
    def share(self) -> float:
        """The share of rows that changed."""
        return min(self.at_most / max(self.of, 1), 1.0)

    @property
    def at_most(self) -> int:
        """How many rows changed, at most."""
        return self.of if self.rows is None else self.rows


@dataclass(frozen=True)
class Cost:
    """Seconds that both ways would take, before and after what refreshes took is counted in; and what changed."""

    usual: Mapping[str, float]
    seconds: Mapping[str, float]
    changes: tuple[Change, ...]

    @property
    def changed(self) -> int:
        """How many rows changed, at most."""
        return sum(one.at_most for one in self.changes)

    @property
    def refused(self) -> str | None:
        """Why what changed is not followed although it could be; None where that is the cheaper way."""
        large = next((one for one in self.changes if one.share > _MOST), None)
        if self.seconds["full"] <= self.seconds["incremental"]:
            return f"all of it costs less, {self.told} for {told(self.changes)}"
        return f"too much changed: {told([large])}" if large else None

    @property
    def told(self) -> str:
        """What both ways are thought to take, in words."""
        return f"about {self.seconds['incremental']:.0f} s, in full {self.seconds['full']:.0f} s"


def cost(run: Run, table: Gold, upstream: Mapping[str, State], marks: Mapping[str, Mark]) -> Cost:
    """Return what a refresh would cost; ``marks`` say since which version each upstream table was consumed."""
    sizes = {name: run.lake.stored(name) for name in upstream}
    moved = [name for name, up in upstream.items() if marks[name].since != up.good]
    changes = tuple(_change(run.lake, upstream[name], marks[name], sizes[name]) for name in moved)
    own = run.lake.size(table.name)
    read = sum(size.bytes for size in sizes.values())
    rows = sum(one.at_most for one in changes)
    in_full = (read + own) / _SUMMED_A_SECOND if isinstance(table, Aggregate) else (read + 2 * own) / _JOINED_A_SECOND
    usual = {
        "full": _FIXED["full"] + in_full,
        "incremental": _FIXED["incremental"] * _steps(table) + rows / _CHANGED_A_SECOND,
    }
    factors = _factors(islice(run.lake.history(table.name, _REMEMBERED), _REMEMBERED))
    return Cost(usual, {way: usual[way] * factors[way] for way in usual}, changes)


def told(changes: Iterable[Change]) -> str:
    """Say how much changed, in a line."""
    return ", ".join(
        f"{one.name} as a whole" if one.rows is None else f"{one.rows:,} of {one.of:,} rows of {one.name}"
        for one in changes
    )


def unsupported(table: Gold) -> str | None:
    """Return why a table's declaration does not say what a change upstream touches; None where it does."""
    if isinstance(table, Derived) and not table.partition:
        return "its windows are declared to stay within no partition"
    return None


def _steps(table: Gold) -> float:
    """Return how many times over the fixed cost comes: each table that is met by keys is looked at."""
    if isinstance(table, Mart):
        return 1 + 0.25 * (len(table.inputs) - 1)
    looks = isinstance(table, Aggregate) and any(not m.adds_up for m in table.measures.values())
    return 1.5 if looks else 1.0


def _change(lake: Lake, up: State, mark: Mark, size: Stored) -> Change:
    rows = lake.changed_between(up.name, mark.since, up.good)
    files = log_files.feed_files(up.path, mark.since, up.good)
    return Change(up.name, rows, size.rows, files.bytes if files else 0)


def _factors(commits: Iterable[Commit]) -> dict[str, float]:
    """Return by how much refreshes of either way took longer, or less long, than usual.

    Where only one was ever taken, the other is thought to differ as much: that tells of the machine.
    """
    found: dict[str, list[float]] = {"full": [], "incremental": []}
    for commit in commits:
        if commit.account is None or commit.seconds is None or not commit.account.expected:
            continue
        way = "full" if commit.account.technique == "full" else "incremental"
        found[way].append(commit.seconds / commit.account.expected)
    known = {way: min(max(median(told[:5]), 1 / _FACTOR), _FACTOR) for way, told in found.items() if told}
    return {way: known.get(way, next(iter(known.values()), 1.0)) for way in found}
