"""Runs of a deployment, by a real server and worker: from the trigger to what people see and are told."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from chromium import provide_chromium
from setup_steps import SetupError

from medallion import conf
from medallion.landing import Landing
from tests.flows.browser import browser
from tests.flows.conftest import Receiver
from tests.flows.local_server import Server, eventually, of_run
from tests.flows.sensors import reading

pytestmark = pytest.mark.slow

QUICK = ["runtime.retry_delay_seconds=4"]
SET_FOLDER = "prefect.deployments.steps.set_working_directory"
TELL = ["notifications.on_failure=env:TELL_ME"]


MOVED = reading(3, "attic") | {"delivery_id": "d3b", "at": 9}  # with it, the gate opens again


def deliver(server: Server, *readings: Any) -> Path:
    """Deliver readings, and return one of the files that now lie in landing."""
    landing = Landing(conf.load("sensors", project=server.project), "readings")
    contents = [(f"{one['delivery_id']}.json", json.dumps(one).encode()) for one in readings]
    return landing.folder / landing.deliver(contents).files[0].path


def places(server: Server) -> dict[str, int]:
    """Return what readers of gold see."""
    shown = server.medallion("show", "sensors.gold.places", "--json")
    return {row["place"]: row["readings"] for row in json.loads(shown.stdout)["rows"]}


def versions(server: Server) -> dict[str, Any]:
    """Return the newest version of each table."""
    status = json.loads(server.medallion("status", "sensors", "--json").stdout)
    return {table["table"]: table["version"] for table in status["pipelines"][0]["tables"]}


@pytest.fixture
def hold(served: Server) -> Iterator[Path]:
    """Have Spark work until the file is gone."""
    file = served.project / "hold"
    file.touch()
    yield file
    file.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def first(served: Server) -> str:
    """A run whose source could not be read at first, and was put right before the second try."""
    file = deliver(served, reading(1, "roof"), reading(2, "cellar"))
    sound = file.read_bytes()
    file.write_bytes(sound[:-1])
    overrides = [*QUICK, "notifications.on_completion=env:TELL_ME"]
    run = served.trigger("sensors", overrides=overrides)
    eventually(lambda: "AwaitingRetry" in served.tasks(run).values(), 90, f"first try failed; {served.logs(run)}")
    file.write_bytes(sound)
    served.wait(run)
    return run


def test_run_is_watched_from_a_failed_first_try_to_its_end(served: Server, first: str) -> None:
    assert served.run(first)["state_name"] == "Completed", served.logs(first)
    assert places(served) == {"roof": 1, "cellar": 1}
    assert set(served.tasks(first).values()) == {"Completed"}
    logs = served.logs(first)
    assert "its bytes differ from manifest 1" in logs
    assert "Traceback" not in logs
    assert "sensors.silver.readings done full read=2 written=2" in logs


def test_run_leaves_its_report_quality_and_tables(served: Server, first: str) -> None:
    artifacts = served.artifacts(first)

    assert set(artifacts) == {"sensors-report", "sensors-quality", "sensors-tables"}
    assert artifacts["sensors-report"]["data"].startswith("## sensors: passed in ")
    [quality] = json.loads(artifacts["sensors-quality"]["data"])
    assert (quality["expectation"], quality["met"]) == ("unique(place)", "yes")
    tables = json.loads(artifacts["sensors-tables"]["data"])
    assert [table["table"] for table in tables] == ["bronze.readings", "silver.readings", "gold.places"]


def test_run_is_named_for_its_pipeline_and_run_id(served: Server, first: str) -> None:
    history = served.medallion("history", "sensors.gold.places", "--json")

    assert served.run(first)["name"] == f"sensors {json.loads(history.stdout)['versions'][0]['run_id']}"


def test_completion_is_told_where_conf_asks_for_it(served: Server, first: str, notices: Receiver) -> None:
    [told] = [notice for notice in notices[1] if notice["flow_run_id"] == first]

    assert (told["state"], told["flow_run"]) == ("Completed", served.run(first)["name"])
    assert told["url"] == f"{served.url}/runs/flow-run/{first}"


def test_pages_show_the_run_and_its_report(served: Server, first: str, tmp_path: Path) -> None:
    try:
        chromium = provide_chromium()
    except SetupError as error:
        pytest.skip(str(error))
    report = served.artifacts(first)["sensors-report"]

    with browser(chromium, tmp_path / "profile") as page:
        page.open(f"{served.url}/runs/flow-run/{first}")
        page.wait_for(served.run(first)["name"], "Completed", "sensors.silver.readings done full")
        page.open(f"{served.url}/artifacts/artifact/{report['id']}")
        page.wait_for("sensors: passed in", "Every expectation was met.", "silver.readings", "append: 1 new delivery")


def test_gate_that_fails_keeps_readers_where_they_were_and_tells(served: Server, first: str, notices: Receiver) -> None:
    deliver(served, reading(3, "roof"))

    followed = served.call("run", "sensors", *TELL)

    run = followed.stdout.split()[1].rstrip(":")
    assert followed.returncode == 1
    assert "did not pass its gate: unique(place)" in followed.stdout.splitlines()[-1]
    assert served.run(run)["state_name"] == "Failed"
    assert "unique(place)" in served.run(run)["state"]["message"]
    assert served.tasks(run)["gate silver.readings"] == "Failed"
    assert served.tasks(run)["gold.places"] == "NotReady"
    [quality] = json.loads(served.artifacts(run)["sensors-quality"]["data"])
    assert (quality["expectation"], quality["met"]) == ("unique(place)", "no")
    assert "## sensors: failed" in served.artifacts(run)["sensors-report"]["data"]
    assert places(served) == {"roof": 1, "cellar": 1}
    [told] = [notice for notice in notices[1] if notice["flow_run_id"] == run]
    assert told["state"] == "Failed" and "did not pass its gate" in told["text"]
    assert "Traceback" not in served.logs(run)


def test_cancelled_run_leaves_no_process_and_no_half_table(served: Server, first: str, hold: Path) -> None:
    deliver(served, MOVED)
    before = versions(served)
    run = served.trigger("sensors")
    await_spark(served, run)

    cancelled = served.prefect("flow-run", "cancel", run)

    assert cancelled.returncode == 0, cancelled.stdout + cancelled.stderr
    assert served.wait(run)["state_name"] == "Cancelled"
    eventually(lambda: not of_run(run), 40, f"no process left of {of_run(run)}")
    assert "Traceback" not in served.logs(run)
    after = versions(served)
    assert after["sensors.silver.readings"] == before["sensors.silver.readings"]
    assert after["sensors.gold.places"] == before["sensors.gold.places"]


def test_pipeline_does_not_overlap_itself_and_goes_on_after_a_cancelled_run(
    served: Server, first: str, hold: Path
) -> None:
    deliver(served, MOVED, reading(4, "porch"))
    run = served.trigger("sensors")
    await_spark(served, run)

    second = served.call("run", "sensors")
    by_hand = served.medallion("run", "sensors")
    patient = subprocess.Popen(
        served.command("run", "sensors", "runtime.on_locked=wait", "--json"),
        env=served.environment(),
        stdout=subprocess.PIPE,
    )

    assert by_hand.returncode == 1
    assert f"sensors: is being run by another process (run {served.run(run)['name'].split()[-1]}" in by_hand.stderr
    assert second.returncode == 1
    said = f"Cancelled: Deployment concurrency limit reached: at work is {served.run(run)['name']}"
    assert said in second.stdout.splitlines()[-1]
    assert served.run(run)["state_name"] == "Running"
    assert patient.poll() is None
    hold.unlink()
    output, _ = patient.communicate(timeout=200)
    assert served.wait(run)["state_name"] == "Completed", served.logs(run)
    assert places(served) == {"roof": 1, "cellar": 1, "attic": 1, "porch": 1}
    assert {table["status"] for table in json.loads(output)["tables"]} == {"skipped"}


def test_killed_run_is_shown_as_crashed_and_told(served: Server, first: str, hold: Path, notices: Receiver) -> None:
    deliver(served, MOVED, reading(5, "garden"))
    run = served.trigger("sensors", overrides=TELL)
    engine = await_spark(served, run)

    os.kill(engine, signal.SIGKILL)

    assert served.wait(run)["state_name"] == "Crashed"
    eventually(lambda: not of_run(run), 40, f"no process left of {of_run(run)}")
    told = eventually(lambda: [one for one in notices[1] if one["flow_run_id"] == run], 60, "notice")
    assert [(one["state"], one["flow_run"]) for one in told] == [("Crashed", served.run(run)["name"])]


def test_unknown_pipeline_fails_with_what_conf_says(served: Server) -> None:
    run = served.trigger("sensors", pipeline="nosuch")

    assert served.wait(run)["state_name"] == "Failed"
    wanted = "ConfError: pipeline 'nosuch': no such file in conf/pipelines; wanted one of sensors"
    assert wanted in served.run(run)["state"]["message"]
    assert "Traceback" not in served.logs(run)


def test_deployment_is_what_conf_says(served: Server) -> None:
    deployment = served.get("deployments/name/pipeline/sensors")

    [schedule] = deployment["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("15 4 * * 1", "Asia/Tokyo")
    assert deployment["description"] == "Readings of a few sensors"
    assert deployment["parameters"] == {"pipeline": "sensors", "overrides": [], "layer": None, "table": None}
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert deployment["work_pool_name"] == "local"
    assert deployment["pull_steps"][0][SET_FOLDER]["directory"] == str(served.project)


def test_server_plans_the_runs_of_the_schedule(served: Server) -> None:
    planned = eventually(
        lambda: served.ask("flow_runs/filter", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}}),
        90,
        "runs planned",
    )

    times = {datetime.fromisoformat(run["expected_start_time"]).astimezone(ZoneInfo("Asia/Tokyo")) for run in planned}
    assert {(time.weekday(), time.hour, time.minute) for time in times} == {(0, 4, 15)}


def test_deploying_again_changes_nothing(served: Server) -> None:
    before = served.get("deployments/name/pipeline/sensors"), len(served.ask("automations/filter"))

    assert served.call("deploy").returncode == 0

    after = served.get("deployments/name/pipeline/sensors")
    assert (after["id"], len(after["schedules"])) == (before[0]["id"], 1)
    assert len(served.ask("automations/filter")) == before[1] == 1


def test_server_tells_nobody_and_remembers_who_runs(served: Server) -> None:
    settings = served.get("admin/settings")

    assert settings["server"]["analytics_enabled"] is False
    # In memory, leases are lost with the server, and the runs that hold them end: seen, but it takes minutes.
    assert settings["server"]["concurrency"]["lease_storage"].endswith("filesystem")


def test_second_server_is_refused(served: Server) -> None:
    refused = served.call("server")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"a Prefect server is up already at 127.0.0.1:{served.port}; ")


def await_spark(server: Server, run: str) -> int:
    """Wait until Spark's Python workers work for a run, and return the id of its engine's process."""
    found = eventually(
        lambda: any("pyspark.daemon" in command for command in of_run(run).values()) and of_run(run),
        150,
        f"Spark at work; {server.logs(run)}",
    )
    [engine] = [number for number, command in found.items() if "prefect" in command and "engine" in command]
    return engine
