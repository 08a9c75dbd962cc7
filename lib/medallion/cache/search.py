"""Searches of a cache: words, exact values and pages, in the table's order; each in a few milliseconds.

What people type only ever reaches SQLite as a bound value, and FTS5 as quoted words.
"""

import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeVar

from medallion.cache import Cached, CacheError, Definition, Place, SearchError, StaleCursor, connect, schema, state
from medallion.cache.values import Stored, given, shown
from medallion.cache.words import query, words_of
from medallion.errors import some
from medallion.query import quoted

PAGE = 50  # rows
MOST_VALUE = 500  # letters of a value to filter by
RELEVANT_AMONG = 2000  # the best matches are looked for among so many newest ones: to rank all would take long
MOST_SECONDS = 2.0  # that a search may take, whatever is asked for
_STEPS = 50_000  # of SQLite between two looks at the time
_FIRST, _LAST = -(2**63), 2**63 - 1
_CURSOR = re.compile(r"(\d{1,9})\.(-?\d{1,18})")

Answer = TypeVar("Answer")
Sort = Literal["newest", "oldest", "relevance"]
SORTS: tuple[Sort, ...] = ("newest", "oldest", "relevance")


@dataclass(frozen=True)
class Wanted:
    """What is looked for; ``after`` is the cursor of the page before."""

    text: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    sort: Sort = "newest"
    after: str = ""


@dataclass(frozen=True)
class Found:
    """One page: rows in the columns' order, as they are stored; ``after`` leads to the next, None at the end."""

    cached: Cached
    rows: list[tuple[Stored, ...]]
    after: str | None

    def shown(self) -> list[list[Any]]:
        """Return the rows for people and for JSON."""
        makers = [shown(kind) for kind in self.cached.definition.kinds.values()]
        if not any(makers):
            return [list(row) for row in self.rows]
        return [
            [value if make is None or value is None else make(value) for make, value in zip(makers, row, strict=True)]
            for row in self.rows
        ]


class Reader:
    """Reads one table's cache, in any thread: each has a connection of its own, anew once the cache was swapped."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._mine = threading.local()

    def search(self, wanted: Wanted) -> Found:
        """Return a page of rows.

        Raises:
            SearchError: It is too long, or names what cannot be filtered by.
            StaleCursor: It goes on from a page of an older build.
            CacheError: There is no cache yet, or it cannot be read.
        """
        return self._read(lambda connection: _search(connection, wanted))

    def values(self, name: str, limit: int = 200) -> list[tuple[Stored, int]] | None:
        """Return the values of a filter, with how many rows have each; None where there are more than so many."""
        sql = "SELECT value, rows FROM filter_values WHERE name = ? ORDER BY value LIMIT ?"
        found = self._read(lambda connection: connection.execute(sql, (name, limit + 1)).fetchall())
        return None if len(found) > limit else found

    def cached(self) -> Cached:
        """Return the cache's state; raises CacheError where there is none."""
        return self._read(state)

    def _read(self, ask: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            return self._ask(ask)
        except sqlite3.Error as error:
            self._forget()
            if "interrupted" in str(error):
                raise SearchError(f"search: took longer than {MOST_SECONDS:.0f} s; wanted rarer words") from None
        try:  # swapped and swept this moment, perhaps
            return self._ask(ask)
        except sqlite3.Error as error:
            self._forget()
            raise CacheError(f"{self.place.table}: its cache cannot be read: {error}") from error

    def _ask(self, ask: Callable[[sqlite3.Connection], Answer]) -> Answer:
        connection = self._connection()
        end = time.monotonic() + MOST_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        return ask(connection)

    def _connection(self) -> sqlite3.Connection:
        try:
            target = os.readlink(self.place.link)
        except OSError:
            self._forget()
            raise CacheError(f"{self.place.table}: there is no cache yet; `medallion sync` makes it") from None
        if getattr(self._mine, "target", None) != target:
            self._forget()
            self._mine.connection = connect(self.place.root / target, readonly=True)
            self._mine.target = target
        return self._mine.connection  # type: ignore[no-any-return]

    def _forget(self) -> None:
        connection = getattr(self._mine, "connection", None)
        self._mine.connection = self._mine.target = None
        if connection is not None:
            connection.close()


def _search(connection: sqlite3.Connection, wanted: Wanted) -> Found:
    connection.execute("BEGIN")  # one state of the cache for all that follows
    try:
        now = state(connection)
        made = now.definition
        values = _values(made, wanted.values)
        words, is_open = words_of(wanted.text)
        if words and not made.searched:
            raise SearchError(f"search: {made.table} has no column to search words in")
        if not words and wanted.text.strip():
            return Found(now, [], None)
        filters = [f'"{_filter_word(made, name, value)}"' for name, value in values.items()]
        terms = " AND ".join(f"({term})" for term in (*query(connection, words, is_open), *filters))
        if wanted.sort == "relevance" and words:
            return Found(now, _most_relevant(connection, made, terms, values), None)
        return _page(connection, now, terms, values, wanted)
    finally:
        connection.execute("COMMIT")


def _page(
    connection: sqlite3.Connection, now: Cached, terms: str, values: Mapping[str, Stored], wanted: Wanted
) -> Found:
    sql = _statement(now.definition, bool(terms), tuple(values), wanted.sort == "oldest")
    after = _place(now, wanted)
    matched = [terms] if terms else []
    rows = connection.execute(sql, (*matched, after, *values.values(), PAGE + 1)).fetchall()
    more = f"{now.build}.{rows[PAGE - 1][0]}" if len(rows) > PAGE else None
    return Found(now, [row[1:] for row in rows[:PAGE]], more)


@lru_cache(maxsize=1000)
def _statement(made: Definition, has_terms: bool, filters: tuple[str, ...], is_oldest: bool) -> str:
    columns = ", ".join(f"rows.{quoted([name])}" for name in made.columns)
    beyond, direction = (">", "ASC") if is_oldest else ("<", "DESC")
    # The words lead to rows; that their values are the very ones is looked at again.
    exact = "".join(f" AND rows.{quoted([name])} IS ?" for name in filters)
    if has_terms:
        return (
            f"SELECT words.rowid, {columns} FROM words CROSS JOIN rows ON rows._place = words.rowid "
            f"WHERE words MATCH ? AND words.rowid {beyond} ?{exact} ORDER BY words.rowid {direction} LIMIT ?"
        )
    return f"SELECT _place, {columns} FROM rows WHERE _place {beyond} ? ORDER BY _place {direction} LIMIT ?"


def _most_relevant(
    connection: sqlite3.Connection, made: Definition, terms: str, values: Mapping[str, Stored]
) -> list[tuple[Stored, ...]]:
    columns = ", ".join(f"rows.{quoted([name])}" for name in made.columns)
    exact = "".join(f" AND rows.{quoted([name])} IS ?" for name in values)
    sql = (
        f"SELECT {columns} FROM (SELECT rowid AS place, bm25(words) AS score FROM words WHERE words MATCH ? "
        f"ORDER BY rowid DESC LIMIT {RELEVANT_AMONG}) CROSS JOIN rows ON rows._place = place "
        f"WHERE TRUE{exact} ORDER BY score, place DESC LIMIT ?"
    )
    return connection.execute(sql, (terms, *values.values(), PAGE)).fetchall()


def _values(made: Definition, wanted: Mapping[str, str]) -> dict[str, Stored]:
    """Return the values to filter by as they are stored; raises SearchError for what is none."""
    found: dict[str, Stored] = {}
    for name, text in wanted.items():
        if name not in made.filters:
            raise SearchError(f"filter: no column {name[:40]!r}; wanted one of {some(made.filters) or 'none'}")
        if len(text) > MOST_VALUE:
            raise SearchError(f"{name}: found {len(text):,} letters; wanted at most {MOST_VALUE}")
        try:
            found[name] = given(text, made.kinds[name])
            str(found[name]).encode()
        except (ValueError, ArithmeticError):
            raise SearchError(f"{name}: found {text[:40]!r}; wanted a value of type {made.columns[name]}") from None
    return found


def _filter_word(made: Definition, name: str, value: Stored) -> str:
    return schema.filter_word(made.filters.index(name), value)


def _place(now: Cached, wanted: Wanted) -> int:
    """Return the place to go on from."""
    if not wanted.after:
        return _FIRST if wanted.sort == "oldest" else _LAST
    cursor = _CURSOR.fullmatch(wanted.after)
    if cursor is None:
        raise SearchError("after: wanted what the page before gave as its `after`")
    if int(cursor[1]) != now.build:
        raise StaleCursor("after: the cache was built anew since; start again from the first page")
    return int(cursor[2])
