"""A sync with a run before it, over tables as Spark writes them: with deletion vectors and change files."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from medallion import cache, session
from medallion.cache import sync as cache_sync
from medallion.cache.log import Log
from medallion.cache.values import shown

pytestmark = pytest.mark.slow

Factory = Callable[..., Any]
NAME = "spring.silver.readings"
CONF = """
description: Readings of springs
sources:
  readings: {format: json, delivers: events, system: gateway}
expectations:
  silver.readings:
    - {rule: not_null, column: level}
    - {rule: range, column: level, max: 1000, severity: fail}
cache:
  tables:
    silver.readings: {searched: [note], filters: [spring], order_by: at}
    gold.springs: {filters: [spring], order_by: readings}
"""
BRONZE = "from medallion.tables import Bronze\ntable = Bronze(source='readings')\n"
SILVER = """
from pyspark.sql import functions as F
from medallion.parse import problems
from medallion.tables import CARRIED, Silver

SENT = "id string, spring string, level string, note string, at timestamp, gone boolean"
table = Silver(
    reads="spring.bronze.readings", key=("id",), sequence=("at",), deleted="is_gone",
    columns={
        "id": ("string", "id"), "spring": ("string", "spring"), "level": ("decimal(12,3)", "cm"),
        "note": ("string", "note"), "at": ("timestamp", "when"),
    },
)


@table.transform
def readings(records):
    return records.withColumn("sent", F.from_json("payload", SENT)).select(
        "sent.id", "sent.spring", F.expr("try_cast(sent.level AS decimal(12,3))").alias("level"), "sent.note",
        "sent.at", F.col("sent.gone").alias("is_gone"), *CARRIED, problems(),
    )
"""
GOLD = """
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="spring.silver.readings", dimensions={"spring": "spring"},
    measures={"readings": Measure("count"), "level": Measure("max", "level")},
    columns={
        "spring": ("string", "spring"), "readings": ("bigint", "readings"), "level": ("decimal(12,3)", "highest, cm"),
    },
)
"""
MODULES = {"bronze/readings.py": BRONZE, "silver/readings.py": SILVER, "gold/springs.py": GOLD}


def reading(number: int, **facts: Any) -> dict[str, Any]:
    spring = ("Blautopf", "Rhumequelle", None)[number % 3]
    at = f"2026-01-{1 + number // 1440:02d}T{number // 60 % 24:02d}:{number % 60:02d}:00Z"
    return {"id": f"S{number}", "spring": spring, "level": f"{number}.125", "note": f"clear {number}", "at": at} | facts


def deliver(lake: Any, *readings: dict[str, Any]) -> None:
    lake.deliver("readings", "\n".join(map(json.dumps, readings)), ending="jsonl")


def held(lake: Any, name: str) -> list[tuple[Any, ...]]:
    with closing(cache.connect(cache.place_of(lake.conf, name).link, readonly=True)) as connection:
        made = cache.state(connection).definition
        makers = [shown(kind) or (lambda value: value) for kind in made.kinds.values()]
        rows = connection.execute(f"SELECT {', '.join(made.columns)} FROM rows").fetchall()
    found = [tuple(None if v is None else str(make(v)) for make, v in zip(makers, row, strict=True)) for row in rows]
    return sorted(found, key=repr)


def wanted(lake: Any, name: str) -> list[tuple[Any, ...]]:
    """Return what Spark says readers see."""
    rows = lake.rows(name).collect()
    return sorted((tuple(None if v is None else _text(v) for v in row) for row in rows), key=repr)


def _text(value: Any) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else str(value)


def synced(lake: Any, name: str, **options: Any) -> Any:
    found = cache_sync.sync(lake.conf, first_run=False, **options)
    return next(one for one in found.tables if one.table == name)


@pytest.mark.parametrize("history", ["scd1", "scd2"])
def test_caches_follow_what_spark_commits(
    scratch: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: str
) -> None:
    monkeypatch.setattr(session, "SMALL_BYTES", 0)  # as for large tables: deletion vectors and change files
    silver = SILVER.replace('deleted="is_gone"', f'deleted="is_gone", history="{history}"')
    modules = MODULES | {"silver/readings.py": silver}
    lake = scratch("spring", modules, CONF, [f"cache.root={tmp_path / 'cache'}"])
    deliver(lake, *(reading(number, level=f"{number % 900}.125") for number in range(2000)))
    assert lake.run().passed
    assert synced(lake, NAME).technique == "full"
    assert synced(lake, "spring.gold.springs").technique == "none"
    for name in (NAME, "spring.gold.springs"):
        assert held(lake, name) == wanted(lake, name)

    later = {"at": "2026-02-01T00:00:00Z"}
    deliver(lake, *(reading(n, note="muddy", level="1", **later) for n in range(100)), reading(5000, level="2"))
    deliver(lake, *(reading(n, gone=True, **later) for n in range(200, 260)), reading(5001, level=None))
    deliver(lake, reading(300, level="7", at="2025-01-01T00:00:00Z"))  # older than what is there
    assert lake.run().passed
    assert list(Path(lake.conf.root("silver")).rglob("deletion_vector*"))

    done = synced(lake, NAME)

    assert (done.technique, done.changed, done.error) == ("changes", 161, None)
    for name in (NAME, "spring.gold.springs"):
        assert held(lake, name) == wanted(lake, name)
    assert len(held(lake, NAME)) == 1941


def test_a_sync_runs_the_pipeline_first_and_a_gate_that_shuts_is_told(
    scratch: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--connect"):
        pytest.skip("a sync starts a Spark of its own, which a client of a server cannot")
    lake = scratch("spring", MODULES, CONF, [f"cache.root={tmp_path / 'cache'}"])
    monkeypatch.setattr(session.Sessions, "stop", lambda self: None)  # the test run's Spark stays up
    deliver(lake, *(reading(number) for number in range(10)))

    done = cache_sync.sync(lake.conf, table=NAME)

    assert done.passed
    assert held(lake, NAME) == wanted(lake, NAME)
    assert "spring.gold.springs" not in lake.versions()  # not needed, not run

    deliver(lake, reading(3, level="5000", at="2026-02-01T00:00:00Z"))
    done = cache_sync.sync(lake.conf, table=NAME)

    assert not done.passed
    assert "range" in (done.tables[0].error or "")
    book = Log(cache.place_of(lake.conf, NAME).root)
    assert book.entries(NAME)[0].error == done.tables[0].error
    assert len(held(lake, NAME)) == 10
    assert book.working(NAME) == []
