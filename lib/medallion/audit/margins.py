"""Invariant 8: nobody is about to lose history: what each consumer has yet to read is still told, and for how long."""

import re

from medallion import clock
from medallion.audit import stores
from medallion.audit.finding import Result
from medallion.audit.pins import Pin, Pinned
from medallion.cache import definitions, place_of
from medallion.tables import Bronze, Table

DEFAULT_DAYS = 30  # Delta's own, where a table does not say
SOON_DAYS = 3
_DAY_MS = 24 * 60 * 60 * 1000


def check(pinned: Pinned, result: Result) -> None:
    """Hold what each table and cache has taken in against what its upstream's log still tells."""
    for name, pin in pinned.tables.items():
        if pin.problem is None and pin.newest is not None and not isinstance(pinned.run.tables[name], Bronze):
            for upstream, mark in pin.newest.watermark.items():
                above = pinned.tables.get(upstream)
                if above is not None and above.problem is None and mark.table_id == above.table_id:
                    _margin(name, mark.version, above, pinned.run.tables[upstream], result)
    for name in definitions(pinned.conf, pinned.run.tables) if pinned.at is None else ():
        found = stores.held(place_of(pinned.conf, name))
        above = pinned.tables.get(name)
        if found is not None and above is not None and above.problem is None and found.table_id == above.table_id:
            _margin(f"cache of {name}", found.version, above, pinned.run.tables[name], result)


def _margin(consumer: str, consumed: int, above: Pin, kind: Table, result: Result) -> None:
    result.saw("consumers", 1)
    pending = list(range(consumed + 1, above.good + 1))
    is_asked = isinstance(kind, Bronze)  # up to which delivery it had read, when that version was consumed
    needed = [consumed, *pending] if is_asked else pending
    gone = [version for version in needed if version not in above.log.entries]
    pipeline = above.name.split(".")[0]
    if gone:
        told = [f"{above.name} version {version}, read up to {consumed}" for version in gone]
        result.red(consumer, f"what it has yet to read of {above.name} is gone", told, _in_full(pipeline))
        return
    lacking = [
        f"{above.name} version {version}: {path}"
        for version in pending
        for path in _changes(above, version)
        if not (above.log.folder / path).is_file()
    ]
    if lacking:
        result.red(
            consumer, f"changes of {above.name} that it has yet to read have lost files", lacking, _in_full(pipeline)
        )
    if pending:
        days = _days(above, above.log.entries[pending[0]].at_ms)
        if days is not None and days <= SOON_DAYS:
            told = [f"{above.name} version {pending[0]}: {days:.1f} days left"]
            result.red(consumer, f"what it has yet to read of {above.name} is about to go", told, _soon(pipeline))


def _in_full(pipeline: str) -> str:
    return f"medallion run {pipeline}: it is refreshed in full, which needs the upstream's rows, not its history"


def _soon(pipeline: str) -> str:
    return f"medallion run {pipeline} before then, or keep versions longer (storage.<layer>.keep_versions)"


def _changes(above: Pin, version: int) -> list[str]:
    """Return the files that tell what a version changed: its change data, else what it added."""
    entry = above.log.entries[version]
    told = entry.of("cdc") or [action for action in entry.of("add") if action.get("dataChange", True)]
    return [str(action["path"]) for action in told]


def _days(above: Pin, at_ms: int) -> float | None:
    """Return for how many days a version is still kept, None where its table does not say in days."""
    told = above.configuration.get("delta.logRetentionDuration")
    found = re.fullmatch(r"interval (\d+) days?", told or f"interval {DEFAULT_DAYS} days")
    if found is None:
        return None
    return int(found[1]) - (clock.now().timestamp() * 1000 - at_ms) / _DAY_MS
