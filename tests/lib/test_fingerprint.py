"""The fingerprint changes with what decides a table's rows, and with nothing else."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count

import pytest

from medallion import graph
from medallion.clock import run_date
from medallion.conf import Conf
from medallion.lake import Lake
from medallion.planner import fingerprint_of
from medallion.step import Run

CONF = """
description: Numbers
parameters: {factor: 2, unused: 1}
schedule: {cron: 0 6 * * *, zone: UTC}
sources: {numbers: {format: json, delivers: events, system: counter}}
expectations:
  silver.numbers:
    - {rule: range, column: n, min: 0, severity: quarantine, tolerance: 0.5, description: not below zero}
    - {rule: range, name: large, column: n, max: 100, severity: warn}
    - {rule: unique, columns: [id]}
"""
BRONZE = "from medallion.tables import Bronze\ntable = Bronze(source='numbers')\n"
SILVER = '''
"""Numbers."""

import datetime as dt
import re
from decimal import Decimal

from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.numbers.reading import halved
from jobs.numbers import reading
from medallion.tables import CARRIED, Silver

FACTOR = Decimal("1.5")
SINCE = dt.date(2026, 1, 1)
NAMES = frozenset({"a", "b", "c", "d", "e"})
NESTED = {"x": [{"p", "q", "r"}, None]}
PATTERN = re.compile("[a-z]")
SCHEMA = T.StructType([T.StructField("id", T.StringType())])
IGNORED = 1

table = Silver(reads="numbers.bronze.numbers", key=("id",), sequence=("n",),
               columns={"id": ("string", "id"), "n": ("bigint", "a number")})


@table.transform
def numbers(records, *, factor):
    """Read."""
    # Comment.
    constants = [FACTOR, SINCE, *NAMES, NESTED, PATTERN]
    return records.select(F.from_json("payload", SCHEMA).alias("x"), *constants).transform(_kept)


def _kept(rows):
    """Keep."""
    return halved(rows).where(reading.LIMIT)


def _not_called(rows):
    return rows
'''
GOLD = """
from medallion.tables import Aggregate, Measure
table = Aggregate(reads="numbers.silver.numbers", dimensions={"id": "id"}, measures={"rows": Measure("count")},
                  columns={"id": ("string", "id"), "rows": ("bigint", "rows")})
"""
READING = '''
LIMIT = "n < 10"


def halved(rows):
    """Halve."""
    return _deep(rows)


def _deep(rows):
    return rows.where("n > 1")
'''

PROBE = """
import sys
from pathlib import Path
from medallion import clock, conf, graph
from medallion.lake import Lake
from medallion.planner import fingerprint_of
from medallion.step import Run
loaded = conf.load("numbers", project=Path(sys.argv[1]))
tables = graph.load(loaded)
print(fingerprint_of(Run(loaded, Lake(loaded), "run", clock.run_date(), tables), tables["numbers.silver.numbers"]))
"""
_places = count()


def _of(conf: Conf) -> str:
    tables = graph.load(conf)
    return fingerprint_of(Run(conf, Lake(conf), "run", run_date(), tables), tables["numbers.silver.numbers"])


def _written(project: Callable[..., Conf], *changes: tuple[str, str]) -> Conf:
    texts = {
        "conf": CONF,
        "bronze/numbers.py": BRONZE,
        "silver/numbers.py": SILVER,
        "gold/sums.py": GOLD,
        "reading.py": READING,
    }
    for before, after in changes:
        assert any(before in text for text in texts.values()), before
        texts = {place: text.replace(before, after) for place, text in texts.items()}
    return project("numbers", texts, texts.pop("conf"), at=f"project{next(_places)}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""Read."""', '"""Read on."""'),
        ('    """Read."""\n', ""),
        ('"""Numbers."""', '"""Other words for numbers."""'),
        ("# Comment.", "# Another comment, and blank lines.\n\n"),
        ('"""Halve."""', '"""Cut in half."""'),
        ("return rows.where(", "return rows.where(\n        "),
        ("IGNORED = 1", "IGNORED = 2"),
        ("def _not_called(rows):", "def _not_called(rows, more=1):"),
        ('("bigint", "a number")', '("bigint", "some number")'),
        ("max: 100", "max: 200"),
        ("name: large", "name: huge"),
        ("tolerance: 0.5", "tolerance: 0.7"),
        ("not below zero", "zero or more"),
        ("columns: [id]", "columns: [id, n]"),
        ("cron: 0 6", "cron: 0 7"),
        ("unused: 1", "unused: 2"),
        ("description: Numbers", "description: More numbers"),
        ("system: counter", "system: abacus"),
    ],
)
def test_it_stays_where_the_rows_do(project: Callable[..., Conf], before: str, after: str) -> None:
    assert _of(_written(project)) == _of(_written(project, (before, after)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('alias("x")', 'alias("y")'),
        (".where(reading.LIMIT)", ".limit(1)"),
        ("n > 1", "n > 2"),
        ('LIMIT = "n < 10"', 'LIMIT = "n < 11"'),
        ('Decimal("1.5")', 'Decimal("1.50")'),
        ("dt.date(2026, 1, 1)", "dt.date(2026, 1, 2)"),
        ('"d", "e"', '"d", "f"'),
        ('"q", "r"', '"q", "s"'),
        ('"[a-z]"', '"[a-y]"'),
        ("T.StringType()", "T.LongType()"),
        ("factor: 2", "factor: 3"),
        ('sequence=("n",)', "sequence=()"),
        ('("bigint", "a number")', '("int", "a number")'),
        ("min: 0", "min: 1"),
        ("max: 100, severity: warn", "max: 100, severity: quarantine"),
    ],
)
def test_it_changes_where_the_rows_may(project: Callable[..., Conf], before: str, after: str) -> None:
    assert _of(_written(project)) != _of(_written(project, (before, after)))


def test_it_changes_with_the_columns_of_a_table_that_is_read(project: Callable[..., Conf]) -> None:
    def of_gold(type_: str) -> str:
        conf = _written(project, ('("bigint", "a number")', f'("{type_}", "a number")'))
        tables = graph.load(conf)
        return fingerprint_of(Run(conf, Lake(conf), "run", run_date(), tables), tables["numbers.gold.sums"])

    assert of_gold("bigint") == of_gold("bigint") != of_gold("int")


@pytest.mark.slow
def test_it_is_the_same_in_every_process(project: Callable[..., Conf]) -> None:
    conf = _written(project)

    def probe(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", PROBE, str(conf.project)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert {probe("1"), probe("2"), probe("3")} == {_of(conf)}
