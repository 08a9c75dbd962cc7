"""The local cache of a table: an SQLite file that a dashboard reads; what it holds and where it lies.

A cache is ``<root>/<pipeline>.<layer>.<table>.sqlite``, a link to the newest of its builds
(``….<number>.sqlite``): to move the link is to swap builds, and who reads the old one reads on. In it:

- ``rows``: the table's public columns by name (how values stand there: `cache_values`), and ``_place``, which
  ascends with the column that the table is ordered by, so that order and paging cost nothing;
- ``words``: the full-text index (FTS5) of the searched columns, and of one word for each value to filter by;
- ``filter_values``: the values of each such column, with how many rows have them;
- ``state``: the table, its id and version that the cache holds, since when, and its definition.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from medallion import durable
from medallion.cache.values import Kind, kind_of
from medallion.conf import Conf
from medallion.conf.cache import CachedTable
from medallion.errors import ConfError, LakehouseError, some
from medallion.faults import point
from medallion.tables import Bronze, Table

FORMAT = 1  # of the file; another one is built anew
MARK = "\ue000"  # begins the words that stand for values to filter by; what people type never holds it


class CacheError(LakehouseError):
    """A cache that cannot be built or read."""


class SearchError(CacheError):
    """A search that cannot be run as it was asked for."""


class StaleCursor(SearchError):
    """A place to go on from in a cache that was built anew since."""


@dataclass(frozen=True, eq=False)  # known by identity: statements are kept by definition
class Definition:
    """What a cache is to hold: the table's columns with their types, its key, and how it is looked through."""

    table: str
    columns: dict[str, str]
    key: tuple[str, ...]
    searched: tuple[str, ...]
    filters: tuple[str, ...]
    order_by: str

    @property
    def fingerprint(self) -> str:
        """What tells whether a cache was made by this definition."""
        text = json.dumps([FORMAT, asdict(self), list(self.columns)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """How each column's values are stored."""
        return {name: kind_of(type_) for name, type_ in self.columns.items()}

    @classmethod
    @lru_cache(maxsize=100)
    def from_json(cls, text: str) -> "Definition":
        """Read a definition back from a cache's state; the same text gives the same object."""
        found: dict[str, Any] = json.loads(text)
        lists = {name: tuple(found.pop(name)) for name in ("key", "searched", "filters")}
        return cls(**{**found, **lists})

    def to_json(self) -> str:
        """Return the definition as it stands in a cache's state."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Cached:
    """What a cache says of itself; ``synced_at`` is ISO 8601 in UTC."""

    table: str
    table_id: str
    version: int
    synced_at: str
    rows: int
    fingerprint: str
    build: int
    definition: Definition


@dataclass(frozen=True)
class Place:
    """Where the cache of one table lies."""

    root: Path
    table: str

    @property
    def link(self) -> Path:
        """The cache as its readers open it."""
        return self.root / f"{self.table}.sqlite"

    def file(self, build: int) -> Path:
        """Return where a build lies."""
        return self.root / f"{self.table}.{build}.sqlite"

    def current(self) -> int | None:
        """Return the number of the build that readers see, None where there is none."""
        try:
            return int(os.readlink(self.link).split(".")[-2])
        except (FileNotFoundError, ValueError, IndexError):
            return None

    def swap(self, build: int) -> None:
        """Let readers see a build from now on; it is whole and on disk."""
        beside = self.root / f".{self.table}.link"
        beside.unlink(missing_ok=True)
        beside.symlink_to(self.file(build).name)
        point("cache.before_replace")
        os.replace(beside, self.link)
        point("cache.after_replace")
        durable.sync(self.root)

    def sweep(self) -> None:
        """Remove all builds but the one that readers see: given up halfway, or swapped out by an earlier sync."""
        current = self.current()
        for path in self.root.glob(f"{self.table}.*.sqlite*"):
            number = path.name.removeprefix(f"{self.table}.").partition(".")[0]
            if number.isdigit() and int(number) != current:
                path.unlink(missing_ok=True)

    def bytes(self) -> int:
        """Return the size on disk of what readers see."""
        current = self.current()
        files = [] if current is None else self.root.glob(f"{self.file(current).name}*")
        return sum(path.stat().st_size for path in files)


def place_of(conf: Conf, table: str) -> Place:
    """Return where the cache of a table lies, given the table's full name."""
    return Place(conf.project / conf.platform.cache.root, table)


def cached(place: Place) -> Cached | None:
    """Return what a cache says of itself, None where there is none yet or it cannot be read."""
    build = place.current()
    if build is None or not place.file(build).exists():
        return None
    try:
        with closing(connect(place.file(build), readonly=True)) as connection:
            return state(connection)
    except (sqlite3.Error, KeyError, ValueError, TypeError):
        return None


def state(connection: sqlite3.Connection) -> Cached:
    """Return the state that a cache holds."""
    found = dict(connection.execute("SELECT name, value FROM state"))
    definition = Definition.from_json(found["definition"])
    names = ("table", "table_id", "synced_at", "fingerprint")
    numbers = ("version", "rows", "build")
    return Cached(
        **{name: str(found[name]) for name in names},  # type: ignore[arg-type]
        **{name: int(found[name]) for name in numbers},  # type: ignore[arg-type]
        definition=definition,
    )


def put_state(connection: sqlite3.Connection, now: Cached) -> None:
    """Write the state, within the transaction that changes the rows."""
    facts = {name: value for name, value in vars(now).items() if name != "definition"}
    facts["definition"] = now.definition.to_json()
    connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", facts.items())


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """Open a cache's file; transactions are begun and ended by hand."""
    uri = f"{path.resolve().as_uri()}?mode={'ro' if readonly else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10, check_same_thread=False)
    if readonly:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA mmap_size = 2147418112")  # SQLite's greatest: pages are not copied
    return connection


def definitions(conf: Conf, tables: Mapping[str, Table]) -> dict[str, Definition]:
    """Return what the caches of a pipeline are to hold, by full name.

    Raises ConfError where conf names a table or a column that is not there, or one that cannot do what it says.
    """
    return {
        f"{conf.name}.{short}": _definition(conf, f"{conf.name}.{short}", wanted, tables)
        for short, wanted in conf.pipeline.cache.tables.items()
    }


def _definition(conf: Conf, name: str, wanted: CachedTable, tables: Mapping[str, Table]) -> Definition:
    where = f"conf/pipelines/{conf.name}.yaml: cache.tables.{name.partition('.')[2]}"
    table = tables.get(name)
    if table is None or isinstance(table, Bronze):
        known = [one.partition(".")[2] for one, found in tables.items() if not isinstance(found, Bronze)]
        raise ConfError(f"{where}: no such table; wanted one of {some(known)}")
    columns = {column: type_ for column, (type_, _) in table.columns.items()}
    made = Definition(name, columns, tuple(table.key), wanted.searched, wanted.filters, wanted.order_by)
    for part, named in (("searched", made.searched), ("filters", made.filters), ("order_by", (made.order_by,))):
        for column in named:
            _check_column(f"{where}.{part}", column, part, made)
    return made


def _check_column(where: str, column: str, part: str, made: Definition) -> None:
    if column not in made.columns:
        raise ConfError(f"{where}: no column {column}; {made.table} has {', '.join(made.columns)}")
    kind, type_ = made.kinds[column], made.columns[column]
    if part == "searched" and kind.name != "text":
        raise ConfError(f"{where}: {column} is {type_}; wanted a column of text")
    if part == "filters" and not kind.is_exact:
        raise ConfError(f"{where}: {column} is {type_}, whose values cannot be told apart exactly; wanted another")
    if part == "order_by" and not kind.is_ordered:
        raise ConfError(f"{where}: {column} is {type_}, which a cache cannot sort by; wanted another")
