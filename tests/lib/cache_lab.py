"""A small project `yard` with one cached table, written by delta-rs with accounts as the engine's: no Spark."""

import datetime as dt
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from medallion import cache, query
from medallion import conf as conf_door
from medallion.account import Account
from medallion.cache import build
from medallion.cache import sync as cache_sync
from medallion.cache.values import shown
from medallion.conf import Conf
from medallion.lake import Lake

NAME = "yard.silver.logs"
STORAGE = """
storage:
  landing: {root: data/landing, profile: archive}
  bronze: {root: data/bronze, profile: archive}
  silver: {root: data/silver, profile: standard}
  gold: {root: data/gold, profile: hot}
  ops: {root: data/ops, profile: standard}
"""
PLATFORM = STORAGE + "cache: {root: data/cache, port: 0}\n"
PIPELINE = """
description: Logs of a yard
sources:
  logs: {format: json, delivers: events, system: gateway, idempotency_key: $.id, key: $.id}
cache:
  tables:
    silver.logs: {searched: [title, notes], filters: [status, crew, is_open, fee], order_by: at}
"""
BRONZE = (
    '"""yard.bronze.logs: one row per log."""\n\nfrom medallion.tables import Bronze\n\ntable = Bronze(source="logs")\n'
)
SILVER = '''"""yard.silver.logs: one row per log."""

from medallion.tables import Silver

COLUMNS = {
    "log_id": ("string", "id"), "title": ("string", "title"), "notes": ("string", "notes"),
    "status": ("string", "status"), "crew": ("int", "men"), "is_open": ("boolean", "open"),
    "fee": ("decimal(10,2)", "EUR"), "wide": ("decimal(30,4)", "wide"), "ratio": ("double", "ratio"),
    "day": ("date", "day"), "at": ("timestamp", "when"), "tags": ("array<string>", "tags"),
}
table = Silver(reads="yard.bronze.logs", key=("log_id",), columns=COLUMNS)


@table.transform
def logs(records):
    return records
'''
SCHEMA = pa.schema(
    [
        ("log_id", pa.string()),
        ("title", pa.string()),
        ("notes", pa.string()),
        ("status", pa.string()),
        ("crew", pa.int32()),
        ("is_open", pa.bool_()),
        ("fee", pa.decimal128(10, 2)),
        ("wide", pa.decimal128(30, 4)),
        ("ratio", pa.float64()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("tags", pa.list_(pa.string())),
        ("_record_id", pa.string()),
        ("_deleted", pa.bool_()),
    ]
)
PUBLIC = SCHEMA.names[:-2]
NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
Row = dict[str, Any]


def log(number: int, **facts: Any) -> Row:
    """Return one log; every seventh has nulls where nulls can be."""
    row: Row = {
        "log_id": f"L-{number:05d}",
        "title": f"Slab pour {number}",
        "notes": f"Crew {number % 7} on site. Café lot {number % 13}.",
        "status": ("Open", "Closed", "On Hold")[number % 3],
        "crew": number % 5,
        "is_open": number % 2 == 0,
        "fee": Decimal(number) / 100,
        "wide": Decimal(10) ** 20 + number,
        "ratio": number / 3,
        "day": dt.date(2026, 1, 1) + dt.timedelta(days=number % 30),
        "at": NOON - dt.timedelta(minutes=number, microseconds=number),
        "tags": ["a", f"t{number}"],
        "_record_id": f"r{number}",
        "_deleted": False,
    }
    if number % 7 == 0:
        row |= dict.fromkeys(("notes", "status", "crew", "is_open", "fee", "wide", "ratio", "day", "tags"))
    return row | facts


@dataclass
class Yard:
    """The project's folder, and what tests do with it."""

    folder: Path
    sessions: Any = None

    def conf(self, *overrides: str) -> Conf:
        return conf_door.load("yard", overrides, self.folder)

    @property
    def path(self) -> str:
        return Lake(self.conf()).path(NAME)

    @property
    def place(self) -> cache.Place:
        return cache.place_of(self.conf(), NAME)

    def version(self) -> int:
        return DeltaTable(self.path).version() if DeltaTable.is_deltatable(self.path) else -1

    def write(self, rows: Iterable[Row], mode: str = "append", *, good: bool = True, schema: Any = SCHEMA) -> None:
        """Write rows in a commit as the engine's; one that is not good did not pass its gate."""
        table = pa.Table.from_pylist(list(rows), schema=schema)
        write_deltalake(
            self.path,
            table,
            mode=mode,  # type: ignore[call-overload]
            schema_mode="overwrite" if mode == "overwrite" else None,
            configuration={"delta.enableChangeDataFeed": "true"},
            commit_properties=self._account(good),
        )

    def merge(self, rows: Iterable[Row], gone: Iterable[str] = (), *, good: bool = True) -> None:
        """Bring rows in by key, and delete others, in one commit as the engine's."""
        rows, gone = list(rows), list(gone)
        flags = pa.array([False] * len(rows) + [True] * len(gone))
        source = pa.Table.from_pylist([*rows, *({"log_id": one} for one in gone)], schema=SCHEMA)
        merging = DeltaTable(self.path).merge(
            source.append_column("_gone", flags),
            "t.log_id = s.log_id",
            source_alias="s",
            target_alias="t",
            commit_properties=self._account(good),
        )
        sets = {name: f"s.{name}" for name in SCHEMA.names}
        merging.when_matched_delete("s._gone").when_matched_update(sets).when_not_matched_insert(
            sets, "NOT s._gone"
        ).execute()

    def by_hand(self) -> None:
        """Delete a row as somebody else would."""
        DeltaTable(self.path).delete("log_id = 'L-00001'")

    def sync(self, *overrides: str, **options: Any) -> cache_sync.Synced:
        return cache_sync.sync(self.conf(*overrides), first_run=False, **options).tables[0]

    def wanted(self, version: int | None = None) -> list[tuple[Any, ...]]:
        """Return the table's public rows at a version, read without the cache's code."""
        where = " WHERE NOT _deleted" if "_deleted" in query.columns_at(self.path, version or self.version()) else ""
        columns = [name for name in query.columns_at(self.path, version or self.version()) if name[0] != "_"]
        rows = query.select(self.path, f"SELECT {query.quoted(columns)} FROM t{where}", version)
        return sorted((tuple(_plain(row[name]) for name in columns) for row in rows), key=repr)

    def held(self) -> list[tuple[Any, ...]]:
        """Return what the cache holds, as its readers see it."""
        with closing(cache.connect(self.place.link, readonly=True)) as connection:
            made = cache.state(connection).definition
            makers = [shown(kind) or (lambda value: value) for kind in made.kinds.values()]
            rows = connection.execute(f"SELECT {query.quoted(list(made.columns))} FROM rows").fetchall()
        return sorted(
            (
                tuple(None if v is None else _plain(make(v)) for make, v in zip(makers, row, strict=True))
                for row in rows
            ),
            key=repr,
        )

    def counts(self) -> Mapping[tuple[str, Any], int]:
        """Return the counts of values to filter by, as the cache tells them."""
        with closing(cache.connect(self.place.link, readonly=True)) as connection:
            return {(name, value): n for name, value, n in connection.execute("SELECT * FROM filter_values")}

    def _account(self, good: bool) -> CommitProperties:
        version = self.version() + 1
        state = Lake(self.conf()).state(NAME)
        last = version if good else (state.good if state else -1)
        account = Account("run-1", "append", "by hand", "", data=version, good=last)
        return CommitProperties(custom_metadata={"userMetadata": account.to_json()})


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)  # JSON has no word for it
    return str(value) if isinstance(value, Decimal | dt.date) else value


def make_yard(folder: Path) -> Yard:
    """Write the project below a folder."""
    texts = {
        "conf/platform/dev.yaml": PLATFORM,
        "conf/pipelines/yard.yaml": PIPELINE,
        "jobs/yard/bronze/logs.py": BRONZE,
        "jobs/yard/silver/logs.py": SILVER,
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    forget_modules()
    sys.path[:] = [one for one in sys.path if one != str(folder)]
    return Yard(folder)


def sound(yard: Yard) -> None:
    """Check the file, its words, the order of its places and the counts of its values against its rows."""
    with closing(cache.connect(yard.place.link)) as connection:
        made = cache.state(connection).definition
        build.check(connection, made)
        order = connection.execute(f"SELECT {made.order_by} FROM rows ORDER BY _place").fetchall()
        counts: Counter[tuple[str, object]] = Counter()
        for name in made.filters:
            counts.update((name, value) for (value,) in connection.execute(f"SELECT {name} FROM rows"))
    moments = [(moment is not None, moment) for (moment,) in order]
    assert moments == sorted(moments)
    assert yard.counts() == {key: count for key, count in counts.items() if key[1] is not None}


def forget_modules() -> None:
    """Have the project's modules be imported anew."""
    for name in [name for name in sys.modules if name.startswith("jobs.yard")]:
        del sys.modules[name]
