"""`medallion sync`: refresh what the cached tables need, then bring each cache in line with its table."""

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion import causes, clock, graph, lock, run
from medallion.cache import Cached, Definition, build, cached, change, definitions, place_of
from medallion.cache import source as cache_source
from medallion.cache.log import Entry, Log
from medallion.cache.source import Unfollowed
from medallion.conf import Conf
from medallion.errors import ConfError, LakehouseError, LockedError, StorageError
from medallion.faults import point
from medallion.output import counted, size
from medallion.run import Report
from medallion.step import Outcome, Run

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger(__name__)

Say = Callable[[str, str, int, int], None]  # table, phase, rows so far, rows in all


@dataclass(frozen=True)
class Synced:
    """What became of one cache, or would in a dry run; ``technique`` is full, changes or none."""

    table: str
    technique: str
    reason: str
    version: int | None
    rows: int | None
    changed: int
    bytes: int
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Syncs:
    """What became of a pipeline's caches."""

    pipeline: str
    dry_run: bool
    tables: list[Synced]

    @property
    def passed(self) -> bool:
        """Whether every cache is in line with its table, and the run before it did what it was to do."""
        return all(one.error is None for one in self.tables)

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {**asdict(self), "passed": self.passed}

    def render(self, out: "Console") -> None:
        """Print a line a table, and what went wrong."""
        for one in self.tables:
            rows = "no rows yet" if one.rows is None else f"{counted(one.rows, 'rows')}, {size(one.bytes)}"
            changed = "nothing to do" if one.technique == "none" else f"{one.technique}, {one.changed:,} changed"
            out.print(f"{one.table:34} {changed:28} {rows:>26} {one.seconds:>7.1f} s", soft_wrap=True)
            if one.reason:
                out.print(f"  {one.reason}", style="dim", soft_wrap=True)
            if one.error:
                out.print(f"  failed: {one.error}", style="red", markup=False, soft_wrap=True)
        if self.dry_run:
            out.print("this would be done; nothing was run or written")


def sync(conf: Conf, *, table: str | None = None, first_run: bool = True, say: Say = lambda *_: None) -> Syncs:
    """Bring the caches of a pipeline, or one of them, in line with their tables.

    A failed run or sync is told in the outcome and in the log; the cache keeps serving what it has.

    Raises:
        ConfError: Nothing is cached, or conf names what is not there.
        LockedError: Another process runs the pipeline or syncs the table, and conf says not to wait.
        StorageError: What is done cannot be noted.
    """
    try:
        return _sync_all(conf, table, first_run=first_run, say=say)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"{place_of(conf, '').root}: the log of caches cannot be kept: {causes.told(error)}"
        ) from None


def _sync_all(conf: Conf, table: str | None, *, first_run: bool, say: Say) -> Syncs:
    prepared = run.prepare(conf)
    chosen = _chosen(conf, definitions(conf, prepared.tables), table)
    if conf.platform.runtime.dry_run:
        return Syncs(conf.name, True, [_planned(prepared, made) for made in chosen])
    book = Log(place_of(conf, "").root)
    errors = _refreshed(prepared, [made.table for made in chosen], book, say) if first_run else {}
    return _synced(prepared, chosen, book, errors, say)


def follow_run(prepared: Run, done: Report, say: Say = lambda *_: None) -> Syncs | None:
    """Bring all caches of a pipeline in line after a run of its tables; None where it has none, or in a part of it.

    What kept a table from being refreshed is told in its cache's log; the cache goes on serving.
    """
    known = definitions(prepared.conf, prepared.tables)
    ran = {outcome.table for outcome in done.outcomes}
    chosen = [made for name, made in known.items() if name in ran]
    if not chosen:
        return None
    book = Log(place_of(prepared.conf, "").root)
    errors = _kept_back(prepared, [made.table for made in chosen], done)
    return _synced(prepared, chosen, book, errors, say)


def needed(prepared: Run, names: Sequence[str]) -> list[str]:
    """Return tables and all that they wait for, in graph order."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.before(prepared.conf, prepared.tables, name)
    return [name for name in prepared.tables if name in found]


def _chosen(conf: Conf, known: Mapping[str, Definition], table: str | None) -> list[Definition]:
    if not known:
        raise ConfError(f"conf/pipelines/{conf.name}.yaml: cache.tables: found none; wanted the tables to cache")
    found = [made for name, made in known.items() if table in (None, name, name.partition(".")[2])]
    if not found:
        raise ConfError(f"table: {table} is not cached; wanted one of {', '.join(known)}")
    return found


def _refreshed(prepared: Run, names: Sequence[str], book: Log, say: Say) -> dict[str, str]:
    """Run what the cached tables need; return what kept which of them from being refreshed."""
    started = clock.stamp()
    for name in names:
        book.begin(name, started)

    def listen(told: Outcome | str) -> None:
        if isinstance(told, str):
            for name in names:
                book.tell(name, started, f"refreshing {told}")
                say(name, f"refreshing {told}", 0, 0)

    try:
        done = _run(prepared, names, listen)
    except BaseException as error:
        is_told = isinstance(error, LakehouseError) and not isinstance(error, LockedError)
        for name in names:
            book.end(name, Entry(name, started, clock.stamp(), 0, "none", error=str(error)) if is_told else None)
        raise
    return _kept_back(prepared, names, done)


def _kept_back(prepared: Run, names: Sequence[str], done: Report) -> dict[str, str]:
    """Return what kept which table from being refreshed in a run."""
    failed = {one.table: one.error or one.reason for one in done.outcomes if one.status in ("failed", "blocked")}
    stuck = {name: [failed[up] for up in needed(prepared, [name]) if up in failed] for name in names}
    return {name: "; ".join(errors) for name, errors in stuck.items() if errors}


def _run(prepared: Run, names: Sequence[str], listen: run.Listener) -> Report:
    """Refresh tables and all that they wait for."""
    from medallion import ops
    from medallion.session import Sessions

    sessions = Sessions(prepared.conf)
    try:
        done = run.run_tables(prepared, sessions, needed(prepared, names), listen=listen)
        ops.record(prepared, done)
    finally:
        sessions.stop()
    return done


def _synced(prepared: Run, chosen: Sequence[Definition], book: Log, run_errors: Mapping[str, str], say: Say) -> Syncs:
    done = [_sync(prepared, made, book, run_errors.get(made.table), say) for made in chosen]
    return Syncs(prepared.conf.name, False, done)


def _sync(prepared: Run, made: Definition, book: Log, run_error: str | None, say: Say) -> Synced:
    """Bring one cache in line under its lock, and put into the log how that went."""
    name, place = made.table, place_of(prepared.conf, made.table)
    started, began = clock.stamp(), time.monotonic()

    def tell(phase: str, rows: int, total: int) -> None:
        book.tell(name, started, phase, rows, total)
        say(name, phase, rows, total)

    with lock.writing(prepared.conf, f"{name}.cache", prepared.run_id):
        book.begin(name, started)
        point("cache.sync_begun")
        try:
            done, error = _tried(prepared, made, tell)
        except BaseException:
            book.end(name, None)
            raise
        error = "; ".join(filter(None, (run_error, error))) or None
        seconds = time.monotonic() - began
        version, rows = (done.state.version, done.state.rows) if done.state else (None, None)
        facts = (done.technique, done.reason, version, rows, done.changed, error)
        entry = Entry(name, started, clock.stamp(), round(seconds * 1000), *facts)
        if error is None:
            book.checked(name)
        point("cache.before_log")
        book.end(name, entry if done.technique != "none" or error else None)
    bytes_after = place.bytes()
    return Synced(name, *facts[:4], done.changed, bytes_after, round(seconds, 3), error)


@dataclass(frozen=True)
class _Done:
    """What was done to a cache, and its state after it, None where there is none."""

    state: Cached | None
    technique: str = "none"
    reason: str = ""
    changed: int = 0


def _tried(prepared: Run, made: Definition, tell: build.Tell) -> tuple[_Done, str | None]:
    """Bring one cache in line; where that fails, return what it is still, and the error."""
    before = cached(place_of(prepared.conf, made.table))
    try:
        return _brought(prepared, made, before, tell), None
    except LakehouseError as error:
        return _Done(before), str(error)
    except (OSError, sqlite3.Error) as error:
        return _Done(before), f"{made.table}: its cache cannot be written: {causes.told(error)}"
    except Exception as error:  # delta-rs and Arrow have kinds of their own, and the cache goes on serving
        log.exception("%s", made.table)
        return _Done(before), f"{made.table}: {type(error).__name__}: {error}"


def _planned(prepared: Run, made: Definition) -> Synced:
    """Tell how a cache would be brought in line with the table as it is."""
    place, name = place_of(prepared.conf, made.table), made.table
    before = cached(place)
    version, rows = (before.version, before.rows) if before else (None, None)
    technique, reason, error = "none", "", None
    try:
        source = cache_source.source_of(prepared.lake, prepared.tables[name], made)
        reason = cache_source.why_full(prepared.lake, source, before) or ""
        if reason:
            technique = "full"
        elif version != source.version:
            technique, reason = "changes", f"version {version} to {source.version}"
    except LakehouseError as problem:
        error = str(problem)
    return Synced(name, technique, reason, version, rows, 0, place.bytes(), 0.0, error)


def _brought(prepared: Run, made: Definition, before: Cached | None, tell: build.Tell) -> _Done:
    place = place_of(prepared.conf, made.table)
    source = cache_source.source_of(prepared.lake, prepared.tables[made.table], made)
    reason = cache_source.why_full(prepared.lake, source, before)
    if reason is None and before is not None:
        if before.version == source.version:
            return _Done(before)
        try:
            after, changed = change.follow(place, source, before, clock.stamp(), tell)
            return _Done(after, "changes", f"version {before.version} to {source.version}", changed)
        except Unfollowed as unfollowed:
            reason = str(unfollowed)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
            reason = f"the cache is damaged: {error}"
    after = build.build(place, source, clock.stamp(), tell)
    return _Done(after, "full", reason or "", after.rows)
