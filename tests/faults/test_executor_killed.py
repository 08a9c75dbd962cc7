"""An executor of a cluster that is killed in the middle of a job: another takes over, and the result is the same."""

import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cluster
import dist
import pytest

from medallion import query
from medallion.conf import Conf
from medallion.lake import Lake
from medallion.landing import Landing
from tests import figures
from tests.conftest import write_project
from tests.faults.test_killed_workers import CONF, MODULES, NAME, SILVER_BY_PYTHON
from tests.faults.vault import day
from tests.jobs.submitting import PROJECT, roots, submit
from tests.jobs.test_cluster import SMALL, logging_events

pytestmark = pytest.mark.slow


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def _executor_of(hold: Path) -> int:
    """Return the executor whose worker waits in the function, once one does."""
    until = time.monotonic() + 300
    while not (at := list(hold.parent.glob(f"{hold.name}.*"))):
        assert time.monotonic() < until, "the function was not reached"
        time.sleep(0.05)
    process = int(at[0].suffix[1:])
    while b"CoarseGrainedExecutorBackend" not in Path(f"/proc/{process}/cmdline").read_bytes():
        process = _parent(process)
        assert process > 1, "the worker belongs to no executor"
    return process


def _events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for log in folder.glob("app-*") for line in log.read_text().splitlines()]


def _rows(lab: Conf) -> dict[str, list[str]]:
    columns = {"bronze": "_record_id, payload", "silver": "id, seq, product, amount", "gold": "product, orders, amount"}
    names = {"bronze": "orders", "silver": "orders", "gold": "totals"}
    found = {}
    for layer, wanted in columns.items():
        path = Lake(lab).path(f"{NAME}.{layer}.{names[layer]}")
        found[layer] = sorted(json.dumps(row, default=str) for row in query.select(path, f"SELECT {wanted} FROM t"))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the executor in /proc")
@pytest.mark.timeout(20 * 60)
def test_another_executor_takes_over_and_the_tables_are_the_same(tmp_path: Path) -> None:
    hold, events = tmp_path / "hold", tmp_path / "events"
    modules = {**MODULES, "silver/orders.py": SILVER_BY_PYTHON.format(hold=str(hold))}
    lab = write_project(tmp_path, NAME, modules, CONF)
    shutil.copytree(PROJECT / "lib", lab.project / "lib")
    shutil.copy(PROJECT / "jobs" / "pipeline.py", tmp_path)
    archive = dist.build(lab.project, tmp_path / "dist")
    for number in (1, 2):
        Landing(lab, "orders").deliver([(f"{n}.json", one) for n, one in enumerate(day(number))])
    here = tmp_path / "here"
    shutil.copytree(tmp_path / "lake", here)
    given = ("--py-files", str(archive))

    near, told_near = submit(*given, "pipeline.py", NAME, *roots(here), cwd=tmp_path)
    hold.touch()
    with cluster.running(tmp_path / "cluster") as up, ThreadPoolExecutor(1) as pool:
        job = (*given, *SMALL, *logging_events(events), "pipeline.py", NAME, *roots(tmp_path / "lake"))
        running = pool.submit(submit, *job, cwd=tmp_path, master=up.master)
        try:
            killed = _executor_of(hold)
            os.kill(killed, signal.SIGKILL)
        finally:
            hold.unlink()
        far, told_far = running.result()

    assert (near, far) == (0, 0), told_near[-2000:] + told_far[-3000:]
    told = _events(events)
    removed = [one for one in told if one["Event"] == "SparkListenerExecutorRemoved"]
    ends = [one for one in told if one["Event"] == "SparkListenerTaskEnd"]
    lost = [one["Task Info"] for one in ends if one["Task End Reason"]["Reason"] == "ExecutorLostFailure"]
    died = {
        one["Executor ID"] for one in removed if one["Timestamp"] <= max(e["Task Info"]["Finish Time"] for e in ends)
    }
    assert [one["Executor ID"] in died for one in lost] == [True] * len(lost) and lost, (removed, lost)
    since = lost[0]["Finish Time"]
    others = {one["Task Info"]["Executor ID"] for one in ends if one["Task Info"]["Launch Time"] >= since}
    assert others and lost[0]["Executor ID"] not in others, others
    there_conf = _at(lab, tmp_path / "lake")
    is_same = _rows(there_conf) == _rows(_at(lab, here))
    figures.note("dependency faults", injected=1, loud=0, recovered=int(is_same), silent=int(not is_same))
    assert is_same


def _at(lab: Conf, lake: Path) -> Conf:
    from medallion import conf

    return conf.load(NAME, roots(lake), lab.project)
