"""Invariant 8: nobody is about to lose history: what each consumer has yet to read is still told, and for how long."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from medallion import clock
from medallion.audit import stores
from medallion.audit.finding import Result
from medallion.audit.pins import Pin, Pinned
from medallion.cache import definitions, place_of
from medallion.tables import Bronze, Table

SOON_DAYS = 3
_DAY_MS = 24 * 60 * 60 * 1000
_RETENTIONS = {"delta.logRetentionDuration": 30.0, "delta.deletedFileRetentionDuration": 7.0}  # Delta's own days
_CLEANED = "delta.enableExpiredLogCleanup"

Standing = Literal["ok", "half", "soon", "gone"]


@dataclass(frozen=True)
class Margin:
    """How much of an upstream table's history is left for a consumer that has read it up to a version.

    ``pending`` are the versions it has yet to read, ``gone`` those of them that the log forgot, ``lacking`` their files
    that are not there. Days are None where the table does not say in days how long it keeps history; with nothing
    pending all of them are left. What is ``held`` stays beyond that until it is read: only maintenance removes it.
    """

    consumer: str
    upstream: str
    consumed: int
    pending: tuple[int, ...]
    gone: tuple[int, ...] = ()
    lacking: tuple[str, ...] = ()
    kept_days: float | None = None
    left_days: float | None = None
    held: bool = False

    @property
    def standing(self) -> Standing:
        """Gone, about to go, less than half of it left, or ok."""
        if self.gone or self.lacking:
            return "gone"
        if self.left_days is None or self.kept_days is None or not self.pending:
            return "ok"
        if self.left_days <= SOON_DAYS and not self.held:
            return "soon"
        return "half" if self.left_days < self.kept_days / 2 else "ok"


def margins(pinned: Pinned) -> Iterator[Margin]:
    """Yield what each table and cache has yet to read of each table it follows, and for how long that is kept."""
    for name, pin in pinned.tables.items():
        if pin.problem is None and pin.newest is not None and not isinstance(pinned.run.tables[name], Bronze):
            for upstream, mark in pin.newest.watermark.items():
                above = pinned.tables.get(upstream)
                if above is not None and above.problem is None and mark.table_id == above.table_id:
                    yield _margin(name, mark.version, above, pinned.run.tables[upstream])
    for name in definitions(pinned.conf, pinned.run.tables) if pinned.at is None else ():
        found = stores.held(place_of(pinned.conf, name))
        above = pinned.tables.get(name)
        if found is not None and above is not None and above.problem is None and found.table_id == above.table_id:
            yield _margin(f"cache of {name}", found.version, above, pinned.run.tables[name])


def check(pinned: Pinned, result: Result) -> None:
    """Hold what each table and cache has taken in against what its upstream's log still tells."""
    for margin in margins(pinned):
        result.saw("consumers", 1)
        consumer, above, pipeline = margin.consumer, margin.upstream, pinned.conf.name
        if margin.gone:
            told = [f"{above} version {version}, read up to {margin.consumed}" for version in margin.gone]
            result.red(consumer, f"what it has yet to read of {above} is gone", told, in_full(pipeline))
        elif margin.lacking:
            what = f"changes of {above} that it has yet to read have lost files"
            result.red(consumer, what, margin.lacking, in_full(pipeline))
        elif margin.standing == "soon":
            told = [f"{above} version {margin.pending[0]}: {margin.left_days:.1f} days left"]
            result.red(consumer, f"what it has yet to read of {above} is about to go", told, in_time(pipeline))


def in_full(pipeline: str) -> str:
    """Say what to do where history is gone."""
    return f"medallion run {pipeline}: it is refreshed in full, which needs the upstream's rows, not its history"


def in_time(pipeline: str) -> str:
    """Say what to do while history is still there."""
    return f"medallion run {pipeline} before then, or keep versions longer (storage.<layer>.keep_versions)"


def _margin(consumer: str, consumed: int, above: Pin, kind: Table) -> Margin:
    pending = tuple(range(consumed + 1, above.good + 1))
    is_asked = isinstance(kind, Bronze)  # up to which delivery it had read, when that version was consumed
    needed = (consumed, *pending) if is_asked else pending
    gone = tuple(version for version in needed if version not in above.log.entries)
    if gone:
        return Margin(consumer, above.name, consumed, pending, gone)
    lacking = tuple(
        f"{above.name} version {version}: {path}"
        for version in pending
        for path in _changes(above, version)
        if not (above.log.folder / path).is_file()
    )
    kept = _kept_days(above)
    age = _age_days(above.log.entries[pending[0]].at_ms) if pending else 0.0
    left = None if kept is None else kept - age
    held = above.configuration.get(_CLEANED) == "false"
    return Margin(consumer, above.name, consumed, pending, (), lacking, kept, left, held)


def _changes(above: Pin, version: int) -> list[str]:
    """Return the files that tell what a version changed: its change data, else what it added."""
    entry = above.log.entries[version]
    told = entry.of("cdc") or [action for action in entry.of("add") if action.get("dataChange", True)]
    return [str(action["path"]) for action in told]


def _kept_days(above: Pin) -> float | None:
    """Return for how many days a table keeps its log and what versions are made of, None where it says otherwise.

    None, too, where nothing but maintenance cleans its log, and conf says that versions stay for good.
    """
    if above.configuration.get(_CLEANED) == "false" and not _RETENTIONS.keys() & above.configuration.keys():
        return None
    days = [_in_days(above.configuration.get(name), default) for name, default in _RETENTIONS.items()]
    return None if None in days else min(day for day in days if day is not None)


def _in_days(told: str | None, default: float) -> float | None:
    if told is None:
        return default
    found = re.fullmatch(r"interval (\d+) (day|hour)s?", told)
    return float(found[1]) / (24 if found[2] == "hour" else 1) if found else None


def _age_days(at_ms: int) -> float:
    return (clock.now().timestamp() * 1000 - at_ms) / _DAY_MS
