"""Freshness and volume in a run: what is told, what is held back, and how it is let through."""

from collections.abc import Callable
from typing import Any

import pytest

from medallion import arrivals, run
from medallion.audit.run import audit
from medallion.check import Check
from medallion.errors import ConfError
from medallion.lake import Lake

CONF = """
description: Readings of sensors
sources:
  readings: {format: json, delivers: events, system: gateway}
expectations:
  bronze.readings:
    - {rule: volume, severity: fail}
    - {rule: freshness, within: 26 hours}
  silver.readings:
    - {rule: freshness, column: at, within: 2 days}
"""
SILVER = """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver
COLUMNS = {"id": ("string", "i"), "at": ("timestamp", "when"), "value": ("int", "v")}
table = Silver(reads="timed.bronze.readings", key=("id",), columns=COLUMNS)

@table.transform
def readings(records):
    return records.withColumn("s", F.from_json("payload", "id string, at timestamp, value int")).select("s.*", *CARRIED)
"""
MODULES = {
    "bronze/readings.py": "from medallion.tables import Bronze\ntable = Bronze(source='readings')\n",
    "silver/readings.py": SILVER,
}
BRONZE, SILVER_NAME = "timed.bronze.readings", "timed.silver.readings"


def _day(lake: Any, monkeypatch: pytest.MonkeyPatch, day: int, rows: int = 10) -> None:
    """Deliver some readings on a day of March, each of that noon; and let it be 13 h of that day from then on."""
    monkeypatch.setenv("MEDALLION_NOW", f"2026-03-{day:02}T13:00:00+00:00")
    readings = [{"id": f"{day}-{n}", "at": f"2026-03-{day:02}T12:00:00Z", "value": n} for n in range(rows)]
    lake.deliver("readings", *readings)


def _checks(report: Any, name: str) -> dict[str, Check]:
    return {check.label: check for one in report.outcomes if one.table == name for check in one.checks}


def test_too_much_is_held_back_until_it_is_accepted(
    scratch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = scratch("timed", MODULES, CONF)
    for day in range(1, 9):
        _day(lake, monkeypatch, day)
    first = lake.run()
    _day(lake, monkeypatch, 9, rows=40)
    doubled = lake.run()
    again = lake.run()
    kept = lake.rows(SILVER_NAME).count()
    accepted = lake.with_overrides("runtime.accept=bronze.readings").run()
    _day(lake, monkeypatch, 9, rows=50)
    more = lake.run()
    _day(lake, monkeypatch, 10)
    next_day = lake.run()

    assert first.passed
    assert "Sunday 2026-03-08; not judged" in str(_checks(first, BRONZE)["volume(day)"].said)
    assert [(one.table, one.status) for one in doubled.outcomes] == [(BRONZE, "failed"), (SILVER_NAME, "blocked")]
    assert "found 40 rows on Monday 2026-03-09; wanted 0 to 21: the last 7 days; readers keep version 0" in str(
        doubled.outcomes[0].error
    )
    assert "`medallion run timed runtime.accept=bronze.readings`" in str(doubled.outcomes[0].error)
    assert again.outcomes[0].error == doubled.outcomes[0].error  # a rerun says the same
    assert kept == 80
    assert accepted.passed
    assert more.passed and next_day.passed  # that day was accepted for good
    assert lake.rows(SILVER_NAME).count() == 140
    assert audit(run.prepare(lake.conf), None, only=(1, 3, 5, 7)).findings == []


def test_what_is_late_is_told_by_a_run_and_without_one(
    scratch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = scratch("timed", MODULES, CONF)
    _day(lake, monkeypatch, 1)
    fresh = lake.run()
    monkeypatch.setenv("MEDALLION_NOW", "2026-03-04T13:00:00+00:00")
    nothing_new = lake.run()
    late = {"id": "late", "at": "2026-03-01T12:30:00Z", "value": 1}
    lake.deliver("readings", late)
    old = lake.run()
    at_rest = {c.label: c for c in arrivals.at_rest(lake.conf, Lake(lake.conf), BRONZE, "readings")}
    lake.deliver("readings", late | {"id": "new", "at": "2026-03-04T12:30:00Z"})
    new = lake.run()

    assert _checks(fresh, SILVER_NAME)["freshness(at)"].passed
    missed = _checks(nothing_new, BRONZE)["freshness(delivered)"]
    assert (nothing_new.passed, missed.passed) == (True, False)
    assert missed.said == "last delivery is of 2026-03-01 13:00 UTC, 3 days 0 h ago; wanted within 26 hours"
    found = _checks(old, SILVER_NAME)["freshness(at)"]
    assert (old.passed, found.passed) == (True, False)
    assert found.said == "newest at is of 2026-03-01 12:30 UTC, 3 days 0 h ago; wanted within 2 days"
    assert at_rest["freshness(delivered)"].passed
    assert _checks(new, SILVER_NAME)["freshness(at)"].passed


@pytest.mark.parametrize(
    ("table", "declared", "told"),
    [
        ("bronze.readings", "{rule: unique, columns: [id]}", "wanted one of freshness, volume"),
        ("bronze.readings", "{rule: freshness, within: 1 day, severity: fail}", "wanted no column, and no severity"),
        ("silver.readings", "{rule: volume}", "wanted it of a bronze table"),
        ("silver.readings", "{rule: freshness, within: 1 day}", "wanted a column that holds when"),
        ("silver.readings", "{rule: freshness, within: 1 day, column: when}", "no column when"),
        ("silver.readings", "{rule: freshness, within: soon, column: at}", "found 'soon'; wanted a length of time"),
        ("silver.readings", "{rule: freshness, within: 1 day, column: at, tolerance: 0.1}", "wanted a longer `within`"),
        ("silver.nosuch", "{rule: freshness, within: 1 day, column: at}", "no table of that name"),
    ],
)
def test_what_cannot_be_judged_is_refused(project: Callable[..., Any], table: str, declared: str, told: str) -> None:
    from medallion import graph

    with pytest.raises(ConfError, match=told):
        graph.load(
            project("timed", MODULES, CONF.partition("expectations")[0] + f"expectations: {{{table}: [{declared}]}}")
        )
