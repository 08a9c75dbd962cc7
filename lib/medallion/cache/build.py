"""A full build of a cache: a new file beside the old one, whole and on disk before readers see it."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from medallion import durable
from medallion.cache import Cached, CacheError, Definition, Place, connect, put_state, schema
from medallion.cache.source import Row, Source
from medallion.faults import point
from medallion.query import quoted

GAP = 64  # free places after each row, for rows that come between later
Tell = Callable[[str, int, int], None]  # phase, rows so far, rows in all

_BATCH = 10_000  # rows indexed between two words about it
_FAST = ("page_size = 4096", "journal_mode = OFF", "synchronous = OFF", "cache_size = -131072", "temp_store = MEMORY")


def build(place: Place, source: Source, synced_at: str, tell: Tell) -> Cached:
    """Build a table's cache from all of its rows, swap it in, and return its state.

    Raises CacheError where what was built is not whole; readers keep what they had.
    """
    durable.make_folder(place.root)
    place.sweep()
    number = (place.current() or 0) + 1
    path = place.file(number)
    path.touch()
    point("cache.file_made")
    try:
        now = _fill(path, source, number, synced_at, tell)
        point("cache.before_sync")
        durable.sync(path)
        point("cache.before_swap")
        place.swap(number)
        point("cache.after_swap")
    except BaseException:
        if place.current() != number:  # an error of the swap may come after readers see it
            path.unlink(missing_ok=True)
        raise
    return now


def _fill(path: Path, source: Source, number: int, synced_at: str, tell: Tell) -> Cached:
    made = source.definition
    total = source.count()
    with closing(connect(path)) as connection:
        for setting in _FAST:
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        for statement in schema.create(made):
            connection.execute(statement)
        rows = _insert(connection, made, source.rows(), total, tell)
        if rows != total:
            raise CacheError(f"{made.table}: read {rows:,} rows of version {source.version}; wanted {total:,}")
        point("cache.rows_read")
        tell("indexing keys", rows, total)
        try:
            for statement in schema.indexes(made):
                connection.execute(statement)
        except sqlite3.IntegrityError:
            raise CacheError(f"{made.table}: two rows have the same {', '.join(made.key)}; wanted one a key") from None
        _index_words(connection, made, total, tell)
        count_values(connection, made)
        state = source.state
        facts = (made.table, state.table_id, source.version, synced_at, rows, made.fingerprint, number, made)
        now = Cached(*facts)
        put_state(connection, now)
        point("cache.before_build_commit")
        connection.execute("COMMIT")
        point("cache.after_build_commit")
    tell("checking", rows, total)
    with closing(connect(path)) as connection:  # anew: what stands in the file counts
        check(connection, made)
        connection.execute("PRAGMA journal_mode = WAL")
    return now


def _insert(
    connection: sqlite3.Connection, made: Definition, batches: Iterable[list[Row]], total: int, tell: Tell
) -> int:
    marks = ", ".join("?" * (len(made.columns) + 1))
    done = 0
    for batch in batches:
        numbered = ((GAP * (done + place), *row) for place, row in enumerate(batch, start=1))
        connection.executemany(f"INSERT INTO rows VALUES ({marks})", numbered)
        done += len(batch)
        tell("reading", done, total)
    return done


def _index_words(connection: sqlite3.Connection, made: Definition, total: int, tell: Tell) -> None:
    if not schema.has_words(made):
        return
    columns = ", ".join(schema.word_columns(made))
    connection.execute("INSERT INTO words (words, rank) VALUES ('hashsize', 67108864)")
    for start in range(0, total, _BATCH):
        tell("indexing words", start, total)
        connection.execute(
            f"INSERT INTO words (rowid, {columns}) SELECT place, {columns} FROM indexed "
            "WHERE place > ? AND place <= ? ORDER BY place",
            (GAP * start, GAP * (start + _BATCH)),
        )
    tell("indexing words", total, total)
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")
    connection.execute("INSERT INTO words (words, rank) VALUES ('hashsize', 1048576)")


def count_values(connection: sqlite3.Connection, made: Definition) -> None:
    """Count the rows of each value to filter by."""
    for name in made.filters:
        column = quoted([name])
        connection.execute(
            f"INSERT INTO filter_values SELECT ?, {column}, count(*) FROM rows WHERE {column} IS NOT NULL "
            f"GROUP BY {column}",
            (name,),
        )


def check(connection: sqlite3.Connection, made: Definition) -> None:
    """Raise CacheError where the file is damaged, or its words are not those of its rows."""
    found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise CacheError(f"{made.table}: the cache is damaged: {found}; is the disk sound?")
    if schema.has_words(made):
        try:
            connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            raise CacheError(f"{made.table}: the words of its cache are not those of its rows: {error}") from None
