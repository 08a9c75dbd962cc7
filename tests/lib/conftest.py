"""A small project of its own, `lab`, whose tables are written by hand: no Spark, no run of the engine."""

import datetime as dt
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from chromium import provide_chromium
from deltalake import CommitProperties, write_deltalake
from setup_steps import SetupError

from medallion import conf as conf_door
from medallion import run
from medallion.account import Account, Mark
from medallion.conf import Conf
from medallion.lake import Lake
from medallion.step import Run
from tests.flows.browser import Page, browser
from tests.lib.cache_lab import STORAGE, Yard, forget_modules, log, make_yard

PIPELINE = """
description: Readings of a laboratory's sensors
sources:
  readings: {format: json, delivers: events, system: gateway, idempotency_key: $.id, key: $.id}
expectations:
  silver.readings:
    - {rule: unique, columns: [reading_id], severity: fail}
    - {rule: not_null, column: value, severity: quarantine}
    - {rule: range, column: value, max: 100, severity: warn}
"""
MODULES = {
    "bronze/readings": '''
"""lab.bronze.readings: one row per delivered reading."""

from medallion.tables import Bronze

table = Bronze(source="readings")
''',
    "silver/readings": '''
"""lab.silver.readings: one row per reading, as last sent.

Values are in degrees.
"""

from medallion.tables import Silver

COLUMNS = {"reading_id": ("string", "the gateway's number"), "day": ("date", "day"), "value": ("double", "degrees")}
table = Silver(reads="lab.bronze.readings", key=("reading_id",), columns=COLUMNS)


@table.transform
def readings(records):
    return records
''',
    "gold/daily": '''
"""lab.gold.daily: one row per day."""

from medallion.tables import Aggregate, Measure

COLUMNS = {"day": ("date", "day"), "readings": ("bigint", "readings of the day")}
MEASURES = {"readings": Measure("count")}
table = Aggregate(reads="lab.silver.readings", dimensions={"day": "day"}, measures=MEASURES, columns=COLUMNS)
''',
    "gold/trend": '''
"""lab.gold.trend: one row per day,
with the change to the day before. The first day has none.

Days without readings are left out.
"""

from medallion.tables import Derived

COLUMNS = {"day": ("date", "day"), "change": ("bigint", "more readings than the day before")}
table = Derived(reads=("lab.gold.daily",), key=("day",), columns=COLUMNS)


@table.transform
def trend(daily):
    return daily
''',
    "sample/__init__": '''
"""Deliveries of one reading."""

from types import SimpleNamespace


def deliveries(day, *, orders=1, seed=7, payloads_per_file=1):
    if day < 0:
        raise ValueError(f"day {day}; wanted 0 or more")
    files = [(f"{n}.json", b'{"id": "%d"}' % (day + n)) for n in range(orders)]
    yield SimpleNamespace(source="readings", files=files)
''',
}


@dataclass(frozen=True)
class Lab:
    """The project's folder, and what tests do with it."""

    folder: Path

    def conf(self, *overrides: str) -> Conf:
        return conf_door.load("lab", overrides, self.folder)

    def prepare(self, *overrides: str) -> Run:
        return run.prepare(self.conf(*overrides))

    def commit(self, name: str, rows: pa.Table, account: Account | None = None) -> None:
        """Append rows in a commit with an account, as the engine would; without one, as somebody else."""
        metadata = {"userMetadata": account.to_json()} if account else {}
        path = Lake(self.conf()).path(name)
        write_deltalake(path, rows, mode="append", commit_properties=CommitProperties(custom_metadata=metadata))


SILVER = pa.schema(
    [
        ("reading_id", pa.string()),
        ("day", pa.date32()),
        ("value", pa.float64()),
        ("_record_id", pa.string()),
        ("_deleted", pa.bool_()),
    ]
)
BRONZE = pa.schema([("_record_id", pa.string()), ("payload", pa.string()), ("_delivery", pa.int64())])


def rows_of(schema: pa.Schema, *rows: tuple) -> pa.Table:
    """Return rows as an Arrow table; none is allowed."""
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


def account(data: int, good: int, **facts: object) -> Account:
    """Return what a commit says of itself, in few words."""
    given = {"technique": "append", "reason": "by hand", "fingerprint": "", **facts}
    return Account("run-1", data=data, good=good, **given)  # type: ignore[arg-type]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A project without any data."""
    texts = {"conf/platform/dev.yaml": STORAGE, "conf/pipelines/lab.yaml": PIPELINE}
    texts |= {f"jobs/lab/{name}.py": text.lstrip() for name, text in MODULES.items()}
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    monkeypatch.delenv("MEDALLION_ENVIRONMENT", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield Lab(tmp_path)
    for module in [name for name in sys.modules if name.startswith("jobs.lab")]:
        del sys.modules[module]


@pytest.fixture
def readings(lab: Lab) -> Lab:
    """The project with readings taken in: silver's version 0 passed its gate, which version 1 says; 2 did not."""
    landed = {"landing.readings": Mark(1, since=0)}
    day = dt.date(2026, 1, 31)
    lab.commit("lab.bronze.readings", rows_of(BRONZE, ("r1", "{}", 1)), account(0, 0, watermark=landed))
    first = {
        "technique": "full",
        "rows": {"read": 3, "written": 3},
        "watermark": {"lab.bronze.readings": Mark(0, Lake(lab.conf()).state("lab.bronze.readings").table_id)},
    }
    kept = [("b", day, 2.5, "r2", False), ("a", day, 1.5, "r1", False), ("c", day, None, "r3", True)]
    lab.commit("lab.silver.readings", rows_of(SILVER, *kept), account(0, -1, **first))
    lab.commit("lab.silver.readings", rows_of(SILVER), account(0, 0, **first))
    late = account(2, 0, **{**first, "technique": "affected_keys"})
    lab.commit("lab.silver.readings", rows_of(SILVER, ("a", day, 9.5, "r4", False)), late)
    return lab


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """A project with one cached table, without any data."""
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    monkeypatch.delenv("MEDALLION_ENVIRONMENT", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield make_yard(tmp_path)
    forget_modules()


@pytest.fixture
def filled(yard: Yard) -> Yard:
    """That project with 300 logs, synced."""
    yard.write(log(number) for number in range(300))
    assert yard.sync().technique == "full"
    return yard


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A tab of a headless Chromium."""
    try:
        chromium = provide_chromium()
    except SetupError as error:
        pytest.skip(str(error))
    with browser(chromium, tmp_path / "browser") as opened:
        yield opened
