"""The oldest version of each table that has to stay, and for whom.

A version stays with its log entry, its files and all that came after it: for as long as its layer keeps versions,
while readers see it, while a table or a cache has yet to read what came after it, and while a run is pinned that left
it. A run at work needs nothing besides: maintenance holds the pipeline's lock, or does nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from medallion import clock
from medallion.audit.margins import margins
from medallion.audit.pins import Pin, Pinned
from medallion.conf.duration import Duration
from medallion.maintain.runpins import RunPin

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Hold:
    """Somebody who needs a table from a version on, which its layer would let go."""

    by: str
    version: int
    at_ms: int

    @property
    def told(self) -> str:
        """In a line: who needs which version, and how old that is."""
        days = (clock.now().timestamp() * 1000 - self.at_ms) / _DAY_MS
        return f"{self.by} version {self.version}, {days:,.0f} days old"


@dataclass(frozen=True)
class Needs:
    """What has to stay of a table: the version ``floor`` and all after it; who has yet to let go of it.

    ``kept`` is for how long its layer keeps superseded versions, None for good.
    """

    kept: Duration | None
    floor: int
    holds: tuple[Hold, ...]


def needs(pinned: Pinned, runs: Iterable[RunPin]) -> dict[str, Needs]:
    """Return what has to stay of every table and quarantine whose log can be read."""
    found: dict[str, list[tuple[str, int]]] = {pin.name: [] for pin in pinned.every()}
    for margin in margins(pinned):
        if margin.pending:
            found[margin.upstream].append((f"{margin.consumer} has read no further than", margin.consumed))
    for run in runs:
        if not run.has_expired:
            for name, version in run.versions.items():
                if name in found:
                    found[name].append((f"run {run.run_id}, pinned until {run.until}, has", version))
    return {pin.name: _of(pinned, pin, found[pin.name]) for pin in pinned.every() if pin.problem is None}


def _of(pinned: Pinned, pin: Pin, wanted: Iterable[tuple[str, int]]) -> Needs:
    kept = pinned.run.lake.kept(pin.name)
    oldest = pin.log.readable
    since_ms = clock.now().timestamp() * 1000 - (kept.total_seconds() * 1000 if kept else 0)
    window = oldest if kept is None else max(oldest, _at(pin, since_ms))
    if pin.shown == pin.data:  # what followed maintains it, or says what was read: it is not superseded
        window = max(oldest, min(window, pin.shown))
    else:
        wanted = [*wanted, ("readers see", pin.shown)]
    versions = [(by, max(version, oldest)) for by, version in wanted]
    older = sorted((version, by) for by, version in versions if version < window)
    holds = tuple(Hold(by, version, pin.log.entries[version].at_ms) for version, by in older)
    floor = min([window, *(hold.version for hold in holds)])
    return Needs(kept, floor, holds)


def _at(pin: Pin, moment_ms: float) -> int:
    """Return the version that was the newest at a moment, or the oldest that there is."""
    before = [version for version, entry in pin.log.entries.items() if entry.at_ms <= moment_ms]
    return max(before, default=pin.log.oldest)
