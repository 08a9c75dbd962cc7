"""The inbox of a webhook source: payloads that were acknowledged to their senders, until they are in landing.

``<landing root>/<pipeline>/<source>/inbox.sqlite`` has one row a key. A payload's bytes leave it once they are
landed; key and hash stay for 30 days, so that a key that comes again is known, and one with other bytes refused.
"""

import base64
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from hashlib import sha256
from pathlib import Path

from medallion import clock
from medallion.durable import make_folder
from medallion.errors import LandingError
from medallion.faults import point
from medallion.landing import Landing, Manifest

FILE = "inbox.sqlite"
DELIVERED_AS = "payloads.envelopes.jsonl"
MOST_BYTES = 64 * 1024 * 1024  # of a delivery: what a driver has in memory while it publishes
KEPT = timedelta(days=30)

_BUSY_SECONDS = 10.0
_AT_ONCE = 1000  # rows changed in a transaction, for which the receiver waits

_TABLES = """
create table if not exists payloads (key text primary key, sha256 blob not null, received_at text not null, body blob);
create index if not exists not_landed on payloads (received_at) where body is not null;
create index if not exists landed on payloads (received_at) where body is null;
"""


class Answer(Enum):
    """What became of a payload: it is stored now, was stored before, or its key was another's."""

    STORED = "stored"
    KNOWN = "known"
    REUSED = "reused"


@dataclass(frozen=True)
class Payload:
    """One payload as posted; ``received_at`` is an instant in ISO 8601."""

    key: str
    received_at: str
    body: bytes


@dataclass(frozen=True)
class Part:
    """What goes into one delivery: the rows, and the file's content."""

    rows: Sequence[int]
    content: bytes


class Inbox:
    """The database of one source; what a method has returned from is on the disk."""

    def __init__(self, folder: Path) -> None:
        """Open a source's inbox, or make it; raises sqlite3.Error or OSError where that cannot be."""
        make_folder(folder)
        self.path = folder / FILE
        self._db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._set_up()
        except sqlite3.Error:
            self._db.close()
            raise
        self._inode = self.path.stat().st_ino

    def _set_up(self) -> None:
        (mode,) = self._db.execute("pragma journal_mode = wal").fetchone()
        if mode != "wal":
            raise sqlite3.OperationalError(f"found journal mode {mode}; wanted a local disk, where wal works")
        self._db.execute("pragma synchronous = full")
        self._db.execute("pragma secure_delete = on")  # what has landed leaves no copy here
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close it; nothing is lost by leaving it open."""
        self._db.close()

    def store(self, payloads: Sequence[Payload]) -> list[Answer]:
        """Make payloads durable in one transaction, and return what became of each; all of them or none.

        Raises sqlite3.Error or OSError where they may not be durable.
        """
        if self.path.stat().st_ino != self._inode:
            raise OSError(f"{self.path}: replaced while it was open")
        with self._transaction():
            answers = [self._stored(payload) for payload in payloads]
            point("inbox.before_store_commit")
        point("inbox.after_store_commit")
        return answers

    def settle(self) -> None:
        """Write again, and sync, whatever a failed sync may have left in memory only; raises sqlite3.Error."""
        with self._transaction():
            self._db.execute("pragma user_version = 1")
        if not self._checkpoint():
            raise sqlite3.OperationalError("another process uses it")

    def newest(self) -> int:
        """Return the row of the newest payload that is not landed, 0 where there is none."""
        (row,) = self._db.execute("select max(rowid) from payloads where body is not null").fetchone()
        return row or 0

    def waiting(self) -> int:
        """Return how many payloads are not landed."""
        (count,) = self._db.execute("select count(*) from payloads where body is not null").fetchone()
        return int(count)

    def part(self, until: int, most_bytes: int) -> Part | None:
        """Return the oldest payloads up to a row, as many as fit, one at least; None where there is none.

        Raises sqlite3.Error where one is not what was acknowledged.
        """
        query = (
            "select rowid, key, received_at, body, sha256 from payloads where body is not null and rowid <= ?"
            " order by received_at, rowid"
        )
        rows: list[int] = []
        content = bytearray()
        with closing(self._db.execute(query, (until,))) as found:
            for row, key, received_at, body, digest in found:
                if sha256(body).digest() != digest:
                    raise sqlite3.DatabaseError(f"the payload of {key} is damaged: its bytes differ from its sha256")
                line = envelope(Payload(key, received_at, body))
                if rows and len(content) + len(line) > most_bytes:
                    break
                rows.append(row)
                content += line
        return Part(rows, bytes(content)) if rows else None

    def mark_landed(self, rows: Sequence[int]) -> None:
        """Let go of the bytes of payloads that are in landing; their keys and hashes stay."""
        for start in range(0, len(rows), _AT_ONCE):
            with self._transaction():
                told = [(row,) for row in rows[start : start + _AT_ONCE]]
                self._db.executemany("update payloads set body = null where rowid = ?", told)
                point("inbox.before_mark_commit")

    def forget(self, before: str) -> None:
        """Remove keys of landed payloads that came before an instant."""
        statement = (
            "delete from payloads where rowid in"
            " (select rowid from payloads where body is null and received_at < ? limit ?)"
        )
        removed = _AT_ONCE
        while removed == _AT_ONCE:
            with self._transaction():
                removed = self._db.execute(statement, (before, _AT_ONCE)).rowcount

    def shrink(self) -> None:
        """Empty the write-ahead log, which holds copies; one that is just being written is left for the next time."""
        self._db.execute("pragma busy_timeout = 1000")
        self._checkpoint()

    def _stored(self, payload: Payload) -> Answer:
        digest = sha256(payload.body).digest()
        statement = "insert into payloads values (?, ?, ?, ?) on conflict (key) do nothing"
        if self._db.execute(statement, (payload.key, digest, payload.received_at, payload.body)).rowcount:
            return Answer.STORED
        (known,) = self._db.execute("select sha256 from payloads where key = ?", (payload.key,)).fetchone()
        return Answer.KNOWN if known == digest else Answer.REUSED

    def _checkpoint(self) -> bool:
        (is_busy, _, _) = self._db.execute("pragma wal_checkpoint(truncate)").fetchone()
        return not is_busy

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        finally:
            if self._db.in_transaction:  # not after a commit, nor where SQLite gave it up by itself
                self._db.execute("rollback")


def envelope(payload: Payload) -> bytes:
    """Return a payload as a line of JSON; bytes that are no UTF-8 as ``body64``."""
    told = {"id": payload.key, "received_at": payload.received_at}
    try:
        told["body"] = payload.body.decode()
    except UnicodeDecodeError:
        told["body64"] = base64.b64encode(payload.body).decode()
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


def gather(landing: Landing, most_bytes: int = MOST_BYTES) -> list[Manifest]:
    """Publish what came before now and is not landed yet, as one delivery or more of at most so many bytes.

    Killed between a publication and the note of it, it publishes the same again: bronze tells by the id. Raises
    LandingError where the inbox cannot be read or written; what was published stays.
    """
    if not (landing.folder / FILE).exists():
        return []
    try:
        with closing(Inbox(landing.folder)) as inbox:
            published = list(_publish(inbox, landing, most_bytes))
            point("inbox.before_forget")
            inbox.forget((clock.now() - KEPT).isoformat(timespec="microseconds"))
            point("inbox.before_shrink")
            inbox.shrink()
            point("inbox.gathered")
            return published
    except (sqlite3.Error, OSError) as error:
        raise LandingError(
            f"{landing.folder / FILE}: cannot be published: {error}; wanted the receiver's database, and a folder with "
            "room, that this user may read and write; nothing of it is lost"
        ) from None


def _publish(inbox: Inbox, landing: Landing, most_bytes: int) -> Iterator[Manifest]:
    until = inbox.newest()
    while (part := inbox.part(until, most_bytes)) is not None:
        point("inbox.part_read")
        manifest = landing.deliver([(DELIVERED_AS, part.content)])
        point("inbox.part_published")
        inbox.mark_landed(part.rows)
        point("inbox.part_marked")
        yield manifest
