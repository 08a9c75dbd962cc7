"""Brings a cache in line with what changed: one transaction, while readers go on with what was there before."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby

from medallion.cache import Cached, Definition, Place, connect, put_state, schema
from medallion.cache.build import GAP, Tell
from medallion.cache.source import MOST_CHANGED, Row, Source, Unfollowed
from medallion.cache.values import Stored
from medallion.faults import point
from medallion.query import quoted

_TOLD_EVERY = 500  # rows


def follow(place: Place, source: Source, known: Cached, synced_at: str, tell: Tell) -> tuple[Cached, int]:
    """Bring a cache to the table's good version by the change feed; return its state and how many rows changed.

    Raises Unfollowed where that is not possible: too much changed, the feed does not add up to the table, or there
    is no room for a row in the order.
    """
    tell("reading changes", 0, 0)
    changes = source.changes(known.version) if source.version > known.version else {}
    most = max(int(known.rows * MOST_CHANGED), 1000)
    if len(changes) > most:
        raise Unfollowed(f"{len(changes):,} of {known.rows:,} rows changed")
    path = place.file(known.build)
    with closing(connect(path)) as connection:
        with _transaction(connection):
            work = _Work(connection, known.definition)
            _apply(work, changes, tell)
            point("cache.changes_applied")
            rows = known.rows + work.inserted - work.deleted
            if rows != source.count():
                raise Unfollowed(f"its change feed leads to {rows:,} rows, the table has {source.count():,}")
            _recount(connection, work.values)
            now = replace(known, version=source.version, synced_at=synced_at, rows=rows)
            put_state(connection, replace(now, definition=source.definition))
            point("cache.before_changes_commit")
        point("cache.after_changes_commit")
        connection.execute("PRAGMA busy_timeout = 1000")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        point("cache.changes_checkpointed")
    return now, work.changed


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@dataclass
class _Work:
    """The statements of one transaction, and what they did."""

    connection: sqlite3.Connection
    made: Definition
    inserted: int = 0
    deleted: int = 0
    updated: int = 0
    values: Counter[tuple[str, Stored]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        names = list(self.made.columns)
        met = " AND ".join(f"{quoted([name])} IS ?" for name in self.made.key)
        words = ", ".join(schema.word_columns(self.made))
        self.order = names.index(self.made.order_by)
        self.keys = [names.index(name) for name in self.made.key]
        self.find = f"SELECT _place, {quoted(names)} FROM rows WHERE {met}"
        self.put = f"INSERT INTO rows VALUES ({', '.join('?' * (len(names) + 1))})"
        self.forget = f"INSERT INTO words (words, rowid, {words}) SELECT 'delete', place, {words} FROM indexed"
        self.learn = f"INSERT INTO words (rowid, {words}) SELECT place, {words} FROM indexed"
        self.filters = [(name, names.index(name)) for name in self.made.filters]

    @property
    def changed(self) -> int:
        """Rows that came, went or are not as they were."""
        return self.inserted + self.deleted + self.updated

    def found(self, key: Row) -> tuple[int, Row] | None:
        """Return a key's place and row."""
        row = self.connection.execute(self.find, key).fetchone()
        return None if row is None else (row[0], row[1:])

    def remove(self, place: int, row: Row) -> None:
        """Take a row out, and its words with it."""
        if schema.has_words(self.made):
            self.connection.execute(f"{self.forget} WHERE place = ?", (place,))
        self.connection.execute("DELETE FROM rows WHERE _place = ?", (place,))
        self.values.subtract((name, row[at]) for name, at in self.filters)

    def insert(self, place: int, row: Row) -> None:
        """Put a row at a place."""
        self.connection.execute(self.put, (place, *row))
        if schema.has_words(self.made):
            self.connection.execute(f"{self.learn} WHERE place = ?", (place,))
        self.values.update((name, row[at]) for name, at in self.filters)
        point("cache.row_put")


def _apply(work: _Work, changes: Mapping[Row, Row | None], tell: Tell) -> None:
    """Take out what is gone, change what stays where it is, and put the rest at new places."""
    moving: list[Row] = []
    for number, (key, row) in enumerate(changes.items()):
        if number % _TOLD_EVERY == 0:
            tell("changing", number, len(changes))
        before = work.found(key)
        if before is None:
            if row is not None:
                work.inserted += 1
                moving.append(row)
            continue
        place, old = before
        if row == old:
            continue
        work.remove(place, old)
        if row is None:
            work.deleted += 1
            continue
        work.updated += 1
        if row[work.order] == old[work.order]:
            work.insert(place, row)
        else:
            moving.append(row)
    tell("changing", len(changes), len(changes))
    for place, row in _placed(work, moving):
        work.insert(place, row)


def _placed(work: _Work, rows: list[Row]) -> list[tuple[int, Row]]:
    """Give each row a place in the order: after those that are not greater, spread over the room there is."""
    rows.sort(key=lambda row: tuple(_sortable(row[at]) for at in (work.order, *work.keys)))
    placed: list[tuple[int, Row]] = []
    for after, group in groupby(rows, key=lambda row: _place_before(work, row[work.order])):
        together = list(group)
        placed += zip(_room(work.connection, after, len(together)), together, strict=True)
    return placed


def _place_before(work: _Work, value: Stored) -> int | None:
    """Return the place of the last row that is not greater, None where all are."""
    column = quoted([work.made.order_by])
    if value is not None:
        found = work.connection.execute(
            f"SELECT _place FROM rows WHERE {column} <= ? ORDER BY {column} DESC, _place DESC LIMIT 1", (value,)
        ).fetchone()
        if found is not None:
            return int(found[0])
    found = work.connection.execute(f"SELECT max(_place) FROM rows WHERE {column} IS NULL").fetchone()
    return found[0]  # type: ignore[no-any-return]


def _room(connection: sqlite3.Connection, after: int | None, wanted: int) -> list[int]:
    """Return so many free places between a row's and the next one's."""
    if after is None:
        first = connection.execute("SELECT min(_place) FROM rows").fetchone()[0]
        start = (GAP if first is None else first - GAP * wanted) - GAP
        return [start + GAP * (number + 1) for number in range(wanted)]
    following = connection.execute("SELECT min(_place) FROM rows WHERE _place > ?", (after,)).fetchone()[0]
    step = GAP if following is None else (following - after) // (wanted + 1)
    if step == 0:
        raise Unfollowed(f"no room for {wanted:,} rows at one point of the order")
    return [after + step * (number + 1) for number in range(wanted)]


def _sortable(value: Stored) -> tuple[bool, Stored]:
    return (value is not None, value)


def _recount(connection: sqlite3.Connection, values: Counter[tuple[str, Stored]]) -> None:
    for (name, value), more in values.items():
        if more and value is not None:
            connection.execute(
                "INSERT INTO filter_values VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
                (name, value, more),
            )
    connection.execute("DELETE FROM filter_values WHERE rows = 0")
