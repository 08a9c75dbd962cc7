"""Does what a forecast says is due, a table after the other, under the pipeline's lock and each table's own.

Every commit carries the table's account forward. Killed anywhere, what was committed stays, and the next maintenance
takes up the rest: what is due is told by logs and folders, not by what was done before.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from medallion import clock, commits, lock, ops
from medallion import run as runs
from medallion.account import Account
from medallion.errors import LakehouseError
from medallion.faults import point
from medallion.lake import Lake
from medallion.landing import Landing
from medallion.maintain import forecast, sweep
from medallion.maintain.expire import Deliveries, Expired
from medallion.maintain.forecast import Due, Forecast
from medallion.maintain.sweep import Found
from medallion.session import Sessions, from_arrow
from medallion.step import Run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)
Listener = Callable[[str], None]


@dataclass
class Done:
    """What became of one table: its newest version's files before and after, rows that went, and what was freed."""

    table: str
    done: list[str] = field(default_factory=list)
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows_removed: int = 0
    files_freed: int = 0
    bytes_freed: int = 0
    error: str | None = None

    def freed(self, found: Found) -> None:
        """Add files that are gone."""
        self.files_freed += found.files
        self.bytes_freed += found.bytes


def maintain(run: Run, sessions: Sessions, only: Collection[str] = (), say: Listener = lambda _: None) -> list[Done]:
    """Do what is due, and return what was done; a table that fails is told with its error, and the others go on.

    Raises LockedError where a run is at work, and conf says not to wait for it.
    """
    work = _Work(run, sessions, say)
    with lock.running(run.conf, run.run_id):
        found = forecast.of(run, only)
        work.each([due for due in found.tables if due.commits], partial(_commit, found))
        if any(due.expired and due.expired.rows for due in found.tables):  # what was rejected of them goes along
            found = forecast.of(run, only)
            work.each([due for due in found.tables if due.rejected], partial(_commit, found))
        point("maintain.committed")
        found = forecast.of(run, only)  # versions, and what is needed of them, have moved
        work.each([due for due in found.tables if due.frees], partial(_sweep, found))
        for deliveries in found.landing:
            if deliveries.last:
                _forget(work, deliveries)
        for records in found.records:
            if records.is_due:
                _tidy(work, records)
        if work.done:
            rows = [asdict(one) | {"done": "; ".join(one.done)} for one in work.done.values()]
            ops.record_maintenance(run.conf, run.run_id, rows)
    return list(work.done.values())


@dataclass
class _Work:
    """One maintenance of a pipeline, and what it did so far."""

    run: Run
    sessions: Sessions
    say: Listener
    done: dict[str, Done] = field(default_factory=dict)

    def at(self, name: str) -> Done:
        """Return what was done to a table so far."""
        return self.done.setdefault(name, Done(name))

    def each(self, tables: list[Due], do: "Callable[[_Work, Due, Done], None]") -> None:
        """Work on tables, each under its lock; what goes wrong with one is told, and the others go on."""
        for due in tables:
            self.say(due.name)
            done = self.at(due.name)
            if not done.files_before:
                done.files_before, done.bytes_before = due.files, due.bytes
            try:
                with lock.writing(self.run.conf, due.name, self.run.run_id):
                    do(self, due, done)
            except LakehouseError as error:
                done.error = str(error)
            except Exception as error:  # noqa: BLE001 - whatever befalls one table, the others go on
                done.error = f"{due.name}: {runs.told(self.sessions, due.name, error)}"
            done.files_after, done.bytes_after = _standing(self.run.lake, due.name)
            if done.error:
                log.error("%s", done.error)

    def set(self, session: "SparkSession", name: str, why: str, properties: Mapping[str, str | None]) -> None:
        """Set properties of a table, in a commit that carries its account forward."""
        target, account = self.target(name)
        told = account.carried_on(self.run.run_id, "settings", why)
        commits.note(self.run.lake, target, session, told, properties)

    def target(self, name: str) -> tuple[commits.Target, Account]:
        """Return a table to commit to, and its account; raises LakehouseError where another writer was there."""
        state = self.run.lake.state(name)
        if state is None or state.account is None or state.foreign:
            raise LakehouseError(
                f"{name}: another writer was there meanwhile; wanted only ours: run the pipeline first"
            )
        return commits.Target(name, state, commits.CURATED), state.account


def _commit(found: Forecast, work: _Work, due: Due, done: Done) -> None:
    """Bring properties in line, remove rows that are too old, write files anew: a commit each."""
    session = work.sessions.fresh(due.bytes)
    if due.settings:
        work.set(session, due.name, "properties as conf says", due.settings)
        done.done.append("properties as conf says")
    if due.expired and due.expired.rows:
        _expire(work, session, due.name, due.expired)
        done.rows_removed += due.expired.rows
        done.done.append(f"records of deliveries up to {due.expired.through} removed")
    if due.rejected:
        _reject(found, work, session, due.name)
        done.rows_removed += due.rejected
        done.done.append("rejected rows of removed records removed")
    if due.layout:
        target, account = work.target(due.name)
        told = account.carried_on(work.run.run_id, due.layout.technique, due.layout.why)
        if commits.compact(work.run.lake, target, session, told, due.layout.sizes, due.layout.by):
            done.done.append(f"{due.layout.technique}: {due.layout.why}")


def _expire(work: _Work, session: "SparkSession", name: str, expired: Expired) -> None:
    """Remove the oldest records of bronze, for which it is not append-only for a moment."""
    import pyarrow as pa

    work.set(session, name, "rows older than keep_rows go", {forecast.APPEND_ONLY: "false"})
    target, account = work.target(name)
    before = account.removed or {}
    removed = {
        "through": max(expired.through, account.removed_through),
        "rows": int(before.get("rows", 0)) + expired.rows,
        "on": clock.run_date().isoformat(),
    }
    staying = None
    if expired.staying is not None:
        staying = from_arrow(session, pa.table({"_payload_sha256": pa.array(sorted(expired.staying), pa.string())}))
    why = f"keep_rows: {expired.rows} records of deliveries up to {expired.through}"
    told = account.carried_on(work.run.run_id, "expire", why, removed=removed, good=commits.SAME_COMMIT)
    told = replace(told, rows={**told.rows, "removed": expired.rows})
    commits.remove(work.run.lake, target, session, told, f"t._delivery <= {expired.through}", staying)
    work.set(session, name, "append-only again", {forecast.APPEND_ONLY: "true"})


def _reject(found: Forecast, work: _Work, session: "SparkSession", name: str) -> None:
    """Remove rows of a quarantine whose records bronze has let go."""
    owner = forecast.owner(found.pinned, name)
    bronze, through = found.pinned.source_of(owner), found.pinned.removed_through(owner)
    assert bronze is not None  # it has told what it removed
    old = f"_delivery <= {through}"
    staying = session.read.format("delta").load(bronze.path).where(old).select("_record_id").distinct()
    target, account = work.target(name)
    told = account.carried_on(work.run.run_id, "expire", "of records that bronze let go", good=commits.SAME_COMMIT)
    commits.remove(work.run.lake, target, session, told, f"t.{old}", staying)


def _sweep(found: Forecast, work: _Work, due: Due, done: Done) -> None:
    """Remove files and log entries that nobody needs."""
    pin = next(pin for pin in found.pinned.every() if pin.name == due.name)
    assert due.need is not None  # else nothing was due
    point("maintain.before_sweep")
    for what, gone in (("vacuum", sweep.remove(pin, due.need)), ("log", sweep.clean_log(pin, due.need))):
        if gone.files:
            done.freed(gone)
            done.done.append(what)


def _forget(work: _Work, due: Deliveries) -> None:
    """Remove the oldest deliveries of a source, one after the other."""
    landing = Landing(work.run.conf, due.source)
    for number in range(due.first, due.last + 1):
        landing.forget(number)
    done = work.at(f"landing.{due.source}")
    done.done.append(f"deliveries {due.first} to {due.last} removed")
    done.freed(Found(due.files, due.bytes))


def _tidy(work: _Work, due: ops.Kept) -> None:
    ops.tidy(work.run.conf, work.run.run_id, due.name)
    done = work.at(f"ops.{due.name}")
    done.rows_removed = due.old
    done.done.append(f"records of {due.files} files written as few")


def _standing(lake: Lake, name: str) -> tuple[int, int]:
    sizes = lake.file_sizes(name) if lake.exists(name) else []
    return len(sizes), sum(sizes)
