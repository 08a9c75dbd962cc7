"""Invariant 6: stores equal their tables: each local cache holds the rows of the version it says, and its own words."""

import sqlite3
from collections import Counter
from contextlib import closing

from medallion.audit.finding import Result, first_line
from medallion.audit.pins import Pin, Pinned
from medallion.audit.sqlite import looked_at
from medallion.cache import Cached, CacheError, Definition, Place, build, definitions, place_of, state
from medallion.cache.source import Source
from medallion.query import quoted

MOST_ROWS = 1_000_000  # of a cache that are compared one by one
MOST_BYTES = 256 * 1024 * 1024  # of a cache whose words are checked, which takes a copy in memory


def check(pinned: Pinned, result: Result) -> None:
    """Compare each cache with its table, row by row."""
    made = definitions(pinned.conf, pinned.run.tables)
    result.skip("other stores", "there are none yet")
    if not made:
        result.skip("caches", "no table of this pipeline has one")
    if pinned.at is not None:
        for name in made:
            result.skip(f"cache of {name}", "it has no history to look at as of a run")
        return
    for name, definition in made.items():
        place = place_of(pinned.conf, name)
        if place.current() is None:
            result.skip(f"cache of {name}", f"there is none yet; medallion sync {pinned.conf.name} makes it")
            continue
        _cache(pinned, place, definition, result)


def _cache(pinned: Pinned, place: Place, definition: Definition, result: Result) -> None:
    subject = f"cache of {place.table}"
    remedy = f"remove {place.link}, then medallion sync {pinned.conf.name}: it is built anew"
    pin = pinned.tables.get(place.table)
    try:
        with looked_at(place.link) as connection:
            told = state(connection)
            problems = _damage(connection, told.definition, place, result)
            result.saw("caches", 1)
            if pin is None or pin.problem is not None:
                result.skip(subject, "its table cannot be read")
            else:
                problems += _compared(pinned, connection, told, pin, result)
    except (sqlite3.Error, OSError, KeyError, ValueError, TypeError) as error:
        result.red(subject, f"cannot be read: {first_line(error)}", [str(place.link)], remedy)
        return
    if problems:
        result.red(subject, "differs from its table, or from itself", problems, remedy)
    if told.fingerprint != definition.fingerprint:
        result.skip(subject, "its columns or conf changed since; the next sync builds it anew")


def held(place: Place) -> Cached | None:
    """Return what a cache says of itself; None where there is none, or none that can be read."""
    if place.current() is None:
        return None
    try:
        with looked_at(place.link) as connection:
            return state(connection)
    except (sqlite3.Error, OSError, KeyError, ValueError, TypeError):
        return None


def _damage(connection: sqlite3.Connection, made: Definition, place: Place, result: Result) -> list[str]:
    """Return what is wrong with the file in itself; looked at in a copy, since to SQLite that is a write."""
    problems: list[str] = []
    for name in made.filters:
        column = quoted([name])
        counted = connection.execute(f"SELECT {column}, count(*) FROM rows WHERE {column} IS NOT NULL GROUP BY 1")
        stored = connection.execute("SELECT value, rows FROM filter_values WHERE name = ? AND rows > 0", (name,))
        if dict(counted.fetchall()) != dict(stored.fetchall()):
            problems.append(f"{place.link}: the counts of {name}'s values are not those of its rows")
    if place.bytes() > MOST_BYTES:
        result.skip(f"cache of {place.table}", f"its words and pages: more than {MOST_BYTES:,} bytes")
        return problems
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        connection.backup(copy)
        try:
            build.check(copy, made)
        except CacheError as error:
            problems.append(f"{place.link}: {error}")
    return problems


def _compared(pinned: Pinned, connection: sqlite3.Connection, told: Cached, pin: Pin, result: Result) -> list[str]:
    """Return how a cache differs from its table at the version that it says it holds."""
    subject = f"cache of {told.table}"
    if told.table_id != pin.table_id:
        return [f"it is of table {told.table_id}, the table is {pin.table_id}"]
    if told.version > pin.version:
        return [f"it is at version {told.version}, the table's newest is {pin.version}"]
    if told.version != pin.good:
        result.skip(subject, f"it is at version {told.version}, readers of the table see {pin.good}; not synced yet")
    (count,) = connection.execute("SELECT count(*) FROM rows").fetchone()
    if count != told.rows:
        return [f"it has {count} rows, and says {told.rows}"]
    source = Source(told.definition, pin.state_at(told.version), pinned.run.tables[told.table])
    if source.count() != count:
        return [f"it has {count} rows, version {told.version} of the table {source.count()}"]
    result.saw("rows", count)
    if count > MOST_ROWS:
        result.skip(subject, f"its rows one by one: more than {MOST_ROWS:,}")
        return []
    return _rows(connection, told, source)


def _rows(connection: sqlite3.Connection, told: Cached, source: Source) -> list[str]:
    names = list(told.definition.columns)
    held = Counter(connection.execute(f"SELECT {quoted(names)} FROM rows"))
    wanted = Counter(row for batch in source.rows() for row in batch)
    keys = [names.index(name) for name in told.definition.key]
    differ = {tuple(row[key] for key in keys) for row in ((held - wanted) + (wanted - held))}
    return [
        ", ".join(f"{name}={value!s}" for name, value in zip(told.definition.key, key, strict=True))
        for key in sorted(differ, key=str)
    ]
