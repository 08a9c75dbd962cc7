"""The log of synchronisations, and what one is doing just now; a file of its own, which outlives every cache.

``sync_logs`` has one row a sync that did something or failed; ``syncing`` one a sync that is at work; ``checks``
says when a cache was last found, or brought, in line with its table.
Instants are ISO 8601 in UTC.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medallion import clock
from medallion.durable import make_folder

KEPT = 1000  # entries a table
_EVERY_SECONDS = 0.25  # at most so often is progress written
_TABLES = """
CREATE TABLE IF NOT EXISTS sync_logs (
    id INTEGER PRIMARY KEY, table_name TEXT NOT NULL, started_at TEXT NOT NULL, synced_at TEXT NOT NULL,
    duration_ms INTEGER NOT NULL, technique TEXT NOT NULL, reason TEXT NOT NULL, version INTEGER,
    rows_total INTEGER, rows_changed INTEGER, error TEXT
);
CREATE INDEX IF NOT EXISTS newest ON sync_logs (table_name, id);
CREATE TABLE IF NOT EXISTS syncing (
    table_name TEXT NOT NULL, process INTEGER NOT NULL, started_at TEXT NOT NULL, told_at TEXT NOT NULL,
    phase TEXT NOT NULL, rows INTEGER NOT NULL, total INTEGER NOT NULL, PRIMARY KEY (table_name, process)
);
CREATE TABLE IF NOT EXISTS checks (table_name TEXT PRIMARY KEY, checked_at TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Entry:
    """One sync: when it started and ended, how the cache was brought in line, why, or what kept it from that."""

    table: str
    started_at: str
    synced_at: str
    duration_ms: int
    technique: str  # full, changes, none
    reason: str = ""
    version: int | None = None
    rows_total: int | None = None
    rows_changed: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Working:
    """What a sync is doing: its phase, and how many rows of how many it is through (0 of 0: no matter of rows)."""

    table: str
    process: int
    started_at: str
    told_at: str
    phase: str
    rows: int
    total: int

    @property
    def is_alive(self) -> bool:
        """Whether its process is there; one that was killed leaves its last word behind."""
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # somebody else's
            return True
        return True


@dataclass
class Log:
    """The log in a folder; reading one that is not there yet finds nothing."""

    folder: Path
    _told: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The log's file."""
        return self.folder / "sync_log.sqlite"

    def begin(self, table: str, started_at: str) -> None:
        """Say that a sync is at work; one before it that was killed gets its entry now."""
        for left in self.working(table):
            if not left.is_alive:
                error = f"process {left.process} ended in the middle of it ({left.phase}), as if it was killed"
                self._end(table, left.process)
                self.add(Entry(table, left.started_at, left.told_at, 0, "none", error=error))
        self._told.pop(table, None)
        self.tell(table, started_at, "starting")

    def tell(self, table: str, started_at: str, phase: str, rows: int = 0, total: int = 0) -> None:
        """Say what a sync is doing; said too often, it is left out, but for a phase's beginning and end."""
        now = time.monotonic()
        before, at = self._told.get(table, ("", 0.0))
        if phase == before and rows < total and now - at < _EVERY_SECONDS:
            return
        self._told[table] = (phase, now)
        row = (table, os.getpid(), started_at, clock.stamp(), phase, rows, total)
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO syncing VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def end(self, table: str, entry: Entry | None) -> None:
        """Say that a sync has ended; an entry tells how, none that there was nothing to do."""
        self._end(table, os.getpid())
        if entry is not None:
            self.add(entry)

    def checked(self, table: str) -> None:
        """Say that a cache is in line with its table now."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO checks VALUES (?, ?)", (table, clock.stamp()))

    def checked_at(self, table: str) -> str | None:
        """Return when a cache was last in line with its table, as far as is known."""
        found = self._read("SELECT checked_at FROM checks WHERE table_name = ?", table)
        return str(found[0][0]) if found else None

    def add(self, entry: Entry) -> None:
        """Add an entry, and forget the oldest beyond those kept."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO sync_logs (table_name, started_at, synced_at, duration_ms, technique, reason, version, "
                "rows_total, rows_changed, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                tuple(vars(entry).values()),
            )
            connection.execute(
                "DELETE FROM sync_logs WHERE table_name = ? AND id <= (SELECT id FROM sync_logs WHERE table_name = ? "
                "ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (entry.table, entry.table, KEPT),
            )

    def entries(self, table: str, limit: int = 50) -> list[Entry]:
        """Return a table's syncs, newest first."""
        sql = (
            "SELECT table_name, started_at, synced_at, duration_ms, technique, reason, version, rows_total, "
            "rows_changed, error FROM sync_logs WHERE table_name = ? ORDER BY id DESC LIMIT ?"
        )
        return [Entry(*row) for row in self._read(sql, table, limit)]

    def working(self, table: str) -> list[Working]:
        """Return what is said to be at work on a table, the newest first; perhaps of a process that is gone."""
        sql = "SELECT * FROM syncing WHERE table_name = ? ORDER BY told_at DESC"
        return [Working(*row) for row in self._read(sql, table)]

    def _end(self, table: str, process: int) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM syncing WHERE table_name = ? AND process = ?", (table, process))

    def _read(self, sql: str, *values: object) -> list[Any]:
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(self.path, timeout=10)) as connection:
            try:
                return connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # made this moment
                    return []
                raise

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        make_folder(self.folder)
        with closing(sqlite3.connect(self.path, timeout=10)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_TABLES)
            with connection:
                yield connection
