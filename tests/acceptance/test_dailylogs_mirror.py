"""Thirty thousand flights as daily logs: silver and the cache are PostgreSQL row by row, change after change."""

import csv
import datetime as dt
import gzip
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import postgres
import psycopg
import pytest
from dailylogs_database import TABLE
from pyspark.sql import functions as F

from jobs.dailylogs.sample import COLUMNS
from medallion import conf as conf_door
from medallion.cache import sync as cache_sync
from tests.acceptance import tracing
from tests.acceptance.accounting import require_balanced, require_passed
from tests.conftest import LAYERS, PROJECT, Lakehouse

LOGS = 30_000
EPOCH = dt.datetime(1970, 1, 1)
NAMES = ", ".join(COLUMNS)


def _logs(content: bytes) -> Iterator[list[Any]]:
    """Yield flights as logs: they have no notes and no time of change, so that they get some."""
    for row in csv.DictReader(io.StringIO(gzip.decompress(content).decode())):
        title, notes = f"{row['job_number']} to {row['dest']}", f"{row['dep_delay']} late, wind {row['wind_speed']}"
        texts = ["boarding", "done", "night", row["author"] or None, row["dest"], None, row["temp"], None, "", "B-737"]
        yield [row["id"], row["site"], title, notes, *texts, row["created_at"], row["created_at"]]


@pytest.fixture(scope="module")
def connection(real_data, database) -> Iterator[psycopg.Connection]:
    """The table in PostgreSQL."""
    content = (real_data / "dailylogs_proxy" / "dailylogs_dev.csv.gz").read_bytes()
    with psycopg.connect(database, user=postgres.USER, autocommit=True) as found:
        found.execute("DROP TABLE IF EXISTS dailylogs")
        found.execute(TABLE)
        with found.cursor().copy(f"COPY dailylogs ({NAMES}) FROM STDIN") as copy:
            for log in _logs(content):
                copy.write_row(log)
        yield found


@pytest.fixture(scope="module")
def lake(database, connection, tmp_path_factory, sessions) -> Lakehouse:
    root = tmp_path_factory.mktemp("dailylogs")
    roots = [f"storage.{layer}.root={root / layer}" for layer in LAYERS]
    place = "connections.dailylogs.dailylogs"
    given = [f"{place}.url={database}", f"{place}.user={postgres.USER}"]
    return Lakehouse(conf_door.load("dailylogs", [*roots, *given, f"cache.root={root / 'cache'}"], PROJECT), sessions)


def in_postgres(connection: psycopg.Connection) -> set[tuple[str | None, ...]]:
    connection.execute("SET TimeZone = 'UTC'")
    texts = ", ".join(COLUMNS[:-2])
    times = ", ".join(f"to_char({name}, 'YYYY-MM-DD HH24:MI:SS.US')" for name in COLUMNS[-2:])
    return set(connection.execute(f"SELECT {texts}, {times} FROM dailylogs").fetchall())


def in_silver(lake: Lakehouse) -> set[tuple[str | None, ...]]:
    times = [F.date_format(name, "yyyy-MM-dd HH:mm:ss.SSSSSS").alias(name) for name in COLUMNS[-2:]]
    return set(map(tuple, lake.rows("dailylogs.silver.dailylogs").select(*COLUMNS[:-2], *times).collect()))


def in_cache(lake: Lakehouse) -> set[tuple[str | None, ...]]:
    synced = cache_sync.sync(lake.conf, first_run=False)
    assert synced.passed, synced
    path = Path(lake.conf.platform.cache.root) / "dailylogs.silver.dailylogs.sqlite"
    with closing(sqlite3.connect(path)) as cache:
        return {(*row[:-2], *map(_shown, row[-2:])) for row in cache.execute(f"SELECT {NAMES} FROM rows")}


def _shown(microseconds: int) -> str:
    return (EPOCH + dt.timedelta(microseconds=microseconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


def test_silver_is_the_table_change_after_change(lake, connection):
    require_passed(lake.run())
    assert in_silver(lake) == in_cache(lake) == in_postgres(connection)
    assert len(in_postgres(connection)) == LOGS

    later = "(SELECT max(updated_at) FROM dailylogs) + interval '1 second'"
    connection.execute(f"UPDATE dailylogs SET status = 'late', updated_at = {later} WHERE job_id::int % 100 = 1")
    connection.execute("DELETE FROM dailylogs WHERE job_id::int % 100 = 2")
    connection.execute("UPDATE dailylogs SET job_id = 'new ' || job_id WHERE job_id::int % 100 = 3")
    report = lake.run()

    require_passed(report)
    assert in_silver(lake) == in_cache(lake) == in_postgres(connection)
    read = {outcome.table: outcome.rows["read"] for outcome in report.outcomes}
    assert read["dailylogs.bronze.dailylogs"] == 300 + 300 + 600
    idle = lake.run()
    assert [outcome.status for outcome in idle.outcomes] == ["skipped", "skipped"]
    require_balanced(lake)


@pytest.mark.slow
def test_random_rows_are_made_of_the_payloads_that_a_trace_finds(lake):
    require_passed(lake.run())
    assert not any(tracing.differences(lake).values())
