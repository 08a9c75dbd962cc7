"""Killed in the middle of maintenance, the next run and the next maintenance go through, and no row is another."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medallion import run
from medallion.audit import run as auditing
from medallion.lake import Lake
from medallion.maintain import layout, work
from tests.crash import harness
from tests.lib import audit_lab
from tests.lib.aged import copied

pytestmark = pytest.mark.slow

KEEP = [f"storage.{layer}.keep_versions=30 days" for layer in ("bronze", "silver", "gold")]
CONF = [*KEEP, "storage.landing.keep_rows=7 years", "spark.warm=false", "spark.master=local[2]"]
SPARK_POINTS = ("maintain.after_remove", "maintain.after_compact")
FILE_POINTS = ("maintain.file_removed:3", "maintain.delivery_removed")
AS_LONG = [pytest.param(at, marks=pytest.mark.soak) for at in (SPARK_POINTS[1], FILE_POINTS[1])]  # half a minute each


@pytest.fixture(scope="module")
def old(shared_scratch: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A lake of two days, the first of 2018, all of it committed a hundred days ago: everything is due."""
    cache = tmp_path_factory.mktemp("cache")
    lake = shared_scratch("yard", audit_lab.MODULES, audit_lab.CONF, [f"cache.root={cache}"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDALLION_NOW", "2018-05-01T06:00:00+00:00")
        lake.deliver("orders", *(audit_lab.order(n, f"o{n}") for n in (1, 2, 3)), audit_lab.order(4, "x", amount="-1"))
        lake.deliver("products", "product,name\np1,one\np2,two\n", ending="csv")
        assert lake.run().passed
    for day in (2, 3):
        lake.deliver("orders", audit_lab.order(day * 10, "o1", day, f"{day}.00"))
        lake.deliver("products", f"product,name\np1,one\np{day},of day {day}\n", ending="csv")
        assert lake.run().passed
    return copied(lake, tmp_path_factory.mktemp("aged"), days=100)


@pytest.mark.parametrize("at", [SPARK_POINTS[0], FILE_POINTS[0], *AS_LONG])
def test_what_a_kill_left_is_taken_up(old: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    monkeypatch.setattr(layout, "_SAVED_FILES", 1)
    lake = copied(old, tmp_path)
    before = _rows(lake)
    overrides = [*audit_lab.roots(lake.conf), *CONF]

    died = subprocess.run(
        [sys.executable, "-m", "tests.crash.maintainer", str(lake.conf.project), "yard", *overrides],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MEDALLION_FAULT_AT": at},
        capture_output=True,
        check=False,
        start_new_session=True,
        text=True,
    )

    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    assert {outcome.status for outcome in lake.run().outcomes} <= {"done", "skipped"}
    assert _rows(lake) == before
    under = lake.with_overrides(f"cache.root={lake.conf.platform.cache.root}", *CONF)
    assert [one.error for one in work.maintain(run.prepare(under.conf), lake.sessions) if one.error] == []
    assert work.maintain(run.prepare(under.conf), lake.sessions) == []
    found = auditing.audit(run.prepare(under.conf), lake.sessions).findings
    assert [f"{one.subject}: {one.what}: {one.examples}" for one in found] == []
    assert Lake(lake.conf).properties("yard.bronze.orders")["delta.appendOnly"] == "true"
    assert {outcome.status for outcome in lake.run().outcomes} <= {"done", "skipped"}
    assert _rows(lake) == before


def test_points_of_maintenance_are_known() -> None:
    """Each lies between two of these, or beside one: what is on disk there is the same."""
    assert {point for point in harness.points() if point.startswith("maintain.")} == {
        *(at.partition(":")[0] for at in (*SPARK_POINTS, *FILE_POINTS)),
        "maintain.before_remove",
        "maintain.before_compact",
        "maintain.committed",
        "maintain.before_sweep",
        "maintain.log_entry_removed",
    }


def _rows(lake: Any) -> dict[str, list[str]]:
    names = [name for name in run.prepare(lake.conf).tables if ".bronze." not in name]
    return {name: sorted(str(row) for row in lake.rows(name).collect()) for name in names}
