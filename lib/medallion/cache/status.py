"""Where a cache stands, for people: what it holds, since when, what a sync is doing, and how the last ones ended."""

from dataclasses import dataclass
from typing import Literal

from medallion.cache import Cached, CacheError, Place
from medallion.cache.log import Entry, Log, Working
from medallion.cache.search import Reader

Named = Literal["current", "syncing", "failed", "killed", "empty"]


@dataclass(frozen=True)
class Status:
    """One table: ``last`` is its newest log entry, ``passed`` the newest that did not fail.

    ``working`` is a sync that says it is at work; at ``checked_at`` the cache was last in line with its table.
    """

    pipeline: str
    short: str
    cached: Cached | None
    problem: str | None
    working: Working | None
    last: Entry | None
    passed: Entry | None
    checked_at: str | None
    bytes: int

    @property
    def table(self) -> str:
        """The table's full name."""
        return f"{self.pipeline}.{self.short}"

    @property
    def state(self) -> Named:
        """In a word, how it is; a sync at work comes first, then what went wrong."""
        if self.working is not None:
            return "syncing" if self.working.is_alive else "killed"
        if self.last is not None and self.last.error:
            return "failed"
        return "current" if self.cached else "empty"

    @property
    def error(self) -> str | None:
        """Why the newest sync failed, if it did."""
        if self.state == "killed":
            return "the last sync ended in the middle of its work, as if it was killed"
        return (self.last.error if self.last else None) or self.problem

    @property
    def share(self) -> int | None:
        """How far a live sync is in its phase, in per cent."""
        if self.working is None or not self.working.total:
            return None
        return round(100 * self.working.rows / self.working.total)


def status_of(place: Place, reader: Reader, key: tuple[str, str]) -> Status:
    """Return where a cache stands; nothing here raises for a cache that is missing or damaged."""
    cached, problem = None, None
    try:
        cached = reader.cached()
    except CacheError as error:
        problem = str(error) if place.current() is not None else None
    log = Log(place.root)
    entries = log.entries(place.table, 50)
    working = sorted(log.working(place.table), key=lambda one: not one.is_alive)
    return Status(
        pipeline=key[0],
        short=key[1],
        cached=cached,
        problem=problem,
        working=working[0] if working else None,
        last=entries[0] if entries else None,
        passed=next((entry for entry in entries if entry.error is None), None),
        checked_at=log.checked_at(place.table),
        bytes=place.bytes(),
    )
