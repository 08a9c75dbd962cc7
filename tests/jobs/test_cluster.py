"""The shop on a Spark standalone cluster of two workers, by spark-submit with the archive that `make dist` builds."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cluster
import dist
import pytest
from cluster import Cluster

from medallion import feed, query
from medallion.lake import Lake
from medallion.landing import Landing
from medallion.session import Sessions
from tests.acceptance.test_arrival_orders import content_of
from tests.conftest import Lakehouse, write_project
from tests.jobs.submitting import PROJECT, QUICK, at, bare_python, roots, states, submit

pytestmark = pytest.mark.slow

NOW = "2026-03-01T06:00:00+00:00"
SMALL = ("--executor-memory", "640m", "--conf", f"spark.executor.extraJavaOptions={QUICK}")
BRONZE = (
    '"""lab.bronze.readings: what arrived."""\nfrom medallion.tables import Bronze\ntable = Bronze(source="readings")\n'
)
SILVER = '''"""lab.silver.readings: one row per reading, with where the code that read it was."""

import os

from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver

table = Silver(reads="lab.bronze.readings", key=("id",), sequence=("id",), columns={
    "id": ("string", "the gateway's number"), "code": ("string", "file"), "engine": ("string", "file")})


def code(payload):
    return os.path.abspath(__file__)


def engine(payload):
    from medallion import parse
    return os.path.abspath(parse.__file__)


@table.transform
def readings(records):
    return records.select(
        F.get_json_object("payload", "$.id").alias("id"),
        F.udf(code, "string")("payload").alias("code"),
        F.udf(engine, "string")("payload").alias("engine"),
        *CARRIED,
    )
'''
PIPELINE = """
description: Readings of a laboratory's sensors
sources:
  readings: {format: json, delivers: events, system: gateway}
"""


@pytest.fixture(scope="module")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster of two workers; when it stopped, no process of it is left."""
    folder = tmp_path_factory.mktemp("cluster")
    with cluster.running(folder) as up:
        yield up
    assert processes_naming(folder) == []


def processes_naming(folder: Path) -> list[str]:
    shown = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True)
    return [line for line in shown.stdout.splitlines() if str(folder) in line]


def executors_of(events: Path) -> Counter[str]:
    """Return how many tasks each executor ended well, as Spark's event log has it."""
    logs = [log.read_text() for log in events.glob("app-*")]
    lines = [json.loads(line) for log in logs for line in log.splitlines()]
    ended = [line["Task Info"] for line in lines if line["Event"] == "SparkListenerTaskEnd"]
    return Counter(task["Executor ID"] for task in ended if not task["Failed"])


def logging_events(folder: Path) -> list[str]:
    folder.mkdir()
    settings = {"enabled": "true", "dir": folder.as_uri(), "compress": "false", "rolling.enabled": "false"}
    return [word for key, value in settings.items() for word in ("--conf", f"spark.eventLog.{key}={value}")]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder outside of any project, as a driver that the cluster starts has it: with the script alone."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(PROJECT / "jobs" / "pipeline.py", folder)
    return folder


@pytest.fixture(scope="module")
def python(elsewhere: Path) -> str:
    return bare_python(elsewhere / "python")


@pytest.mark.timeout(30 * 60)  # two whole runs, each in a JVM that starts cold
def test_a_cluster_and_one_machine_give_the_same_tables(
    spark_cluster: Cluster,
    elsewhere: Path,
    python: str,
    tmp_path: Path,
    sessions: Sessions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the cluster without a checkout, on one machine beside it: the same landing, the same rows everywhere."""
    monkeypatch.setenv("MEDALLION_NOW", NOW)
    archive = dist.build(PROJECT, tmp_path / "dist")
    there, here = tmp_path / "cluster", tmp_path / "local"
    feed.sample(at(there), 0, {"orders": 60})
    shutil.copytree(there, here)
    events = tmp_path / "events"

    near, told_near = submit("--py-files", str(archive), "jobs/pipeline.py", "shop", *roots(here))
    far, told_far = submit(
        *("--py-files", str(archive), *SMALL, *logging_events(events), "pipeline.py", "shop", *roots(there)),
        cwd=elsewhere,
        python=python,
        master=spark_cluster.master,
    )

    assert (far, near) == (0, 0), told_far[-3000:] + told_near[-3000:]
    found = content_of(Lakehouse(at(there), sessions))
    assert len(found) == 15 and all(count > 0 for count, *_ in found.values())
    assert found == content_of(Lakehouse(at(here), sessions))
    tasks = executors_of(events)
    assert tasks.keys() <= {"0", "1"} and tasks.total() > len(found), tasks


def test_functions_of_a_job_reach_the_executors_in_the_archive(
    spark_cluster: Cluster, elsewhere: Path, python: str, tmp_path: Path
) -> None:
    modules = {"bronze/readings.py": BRONZE, "silver/readings.py": SILVER}
    lab = write_project(tmp_path, "lab", modules, PIPELINE)
    shutil.copytree(PROJECT / "lib", lab.project / "lib")
    archive = dist.build(lab.project, tmp_path / "dist")
    Landing(lab, "readings").deliver([("1.json", b'{"id": "R-1"}')])

    code, told = submit(
        *("--py-files", str(archive), *SMALL, "pipeline.py", "lab", *roots(tmp_path / "lake")),
        cwd=elsewhere,
        python=python,
        master=spark_cluster.master,
    )

    assert code == 0, told[-3000:]
    rows = query.select(Lake(lab).path("lab.silver.readings"), "SELECT code, engine FROM t")
    inside = [[place.partition(f"{archive.name}/")[2] for place in row.values()] for row in rows]
    assert inside == [["jobs/lab/silver/readings.py", "medallion/parse.py"]], rows
    assert all(str(spark_cluster.folder) in place for row in rows for place in row.values()), rows


def test_a_cluster_without_room_is_told_in_one_message(spark_cluster: Cluster, tmp_path: Path) -> None:
    command = ["jobs/pipeline.py", "shop", "bronze", *roots(tmp_path / "lake"), "spark.executor_wait_seconds=6"]

    code, told = submit("--executor-memory", "8g", *command, master=spark_cluster.master)

    assert (code, "no executor within 6 s; wanted a worker with room for one of 8g of memory" in told) == (1, True), (
        told
    )
    assert "Traceback" not in told and "\tat " not in told
    assert states(tmp_path / "lake") == ["ops/shop/runs"]  # which has the run that failed
