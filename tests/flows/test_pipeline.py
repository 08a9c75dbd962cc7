"""The flow: order, retries, gates and notices. What a step does is tested with the engine."""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prefect.artifacts import Artifact
from prefect.testing.utilities import prefect_test_harness

from flows.maintenance import maintain
from flows.pipeline import Host, RunFailedError, Turns, hosted, refresh
from medallion import bronze, lock
from medallion.errors import ConfError, LakehouseError, LandingError, LockedError
from medallion.step import Outcome
from tests.flows.conftest import Receiver
from tests.flows.sensors import CONF, modules, reading


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def sensors(
    scratch: Callable[..., Any], prefect_api: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Any, list[str]]]:
    """Return a factory of a tiny pipeline, and the overrides that a flow needs to find its lake."""

    def make(name: str, more: str = "") -> tuple[Any, list[str]]:
        lake = scratch(name, modules(name), CONF + more)
        monkeypatch.setenv("MEDALLION_HOME", str(lake.conf.project))
        roots = [
            f"storage.{layer}.root={lake.conf.root(layer)}" for layer in ("landing", "bronze", "silver", "gold", "ops")
        ]
        return lake, [*roots, "runtime.retry_delay_seconds=0"]

    return make


def test_flow_refreshes_every_table_and_leaves_artifacts(sensors: Any) -> None:
    lake, overrides = sensors("flowing")
    lake.deliver("readings", reading(1, "roof"), reading(2, "cellar"))
    told: list[Outcome | str] = []

    with hosted(Host(lake.sessions, told.append)):
        report = refresh("flowing", overrides)

    assert report.passed
    assert [o.table for o in report.outcomes] == [
        "flowing.bronze.readings",
        "flowing.silver.readings",
        "flowing.gold.places",
    ]
    assert {tuple(row) for row in lake.rows("flowing.gold.places").collect()} == {("roof", 1), ("cellar", 1)}
    assert "flowing.gold.places" in told
    markdown = Artifact.get("flowing-report")
    assert markdown is not None and "| silver.readings | 2 | 2 |" in str(markdown.data)
    quality = Artifact.get("flowing-quality")
    assert quality is not None and "unique(place)" in str(quality.data)


def test_flow_that_fails_its_gate_keeps_readers_where_they_were_and_tells(
    sensors: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, received = receiver
    monkeypatch.setenv("FAILURE_WEBHOOK", address)
    lake, overrides = sensors("gated")
    overrides = [*overrides, "notifications.on_failure=env:FAILURE_WEBHOOK"]
    lake.deliver("readings", reading(1, "roof"))
    with hosted(Host(lake.sessions)):
        refresh("gated", overrides)
        lake.deliver("readings", reading(2, "roof"))

        with pytest.raises(RunFailedError, match=r"gated\.silver\.readings: version 1 did not pass.*unique\(place\)"):
            refresh("gated", overrides)

    assert {tuple(row) for row in lake.rows("gated.gold.places").collect()} == {("roof", 1)}
    assert [message["pipeline"] for message in received] == ["gated"]
    assert received[0]["state"] == "Failed"
    assert "did not pass its gate" in received[0]["message"]


def test_flow_brings_caches_in_line_and_tells_there_that_a_source_is_away(
    sensors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, overrides = sensors("cached", "cache: {tables: {silver.readings: {filters: [place], order_by: at}}}\n")
    overrides += [f"cache.root={tmp_path / 'cache'}", "runtime.retries=0"]
    lake.deliver("readings", reading(1, "roof"))

    with hosted(Host(lake.sessions)):
        refresh("cached", overrides)
        first = _read(tmp_path / "cache" / "cached.silver.readings.sqlite", "SELECT place FROM rows")
        lake.deliver("readings", reading(2, "cellar"))
        monkeypatch.setattr(bronze, "ingest", _away)
        with pytest.raises(RunFailedError, match="the source is away"):
            refresh("cached", overrides)

    assert first == [("roof",)]
    assert _read(tmp_path / "cache" / "cached.silver.readings.sqlite", "SELECT place FROM rows") == [("roof",)]
    errors = _read(tmp_path / "cache" / "sync_log.sqlite", "SELECT error FROM sync_logs ORDER BY rowid")
    assert errors[0] == (None,)
    assert "the source is away" in str(errors[-1])


def _away(*_: Any) -> Outcome:
    raise LandingError("the source is away")


def _read(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as cache:
        return cache.execute(query).fetchall()


def test_flow_tries_again_where_the_outside_is_touched(sensors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, overrides = sensors("retrying")
    lake.deliver("readings", reading(1, "roof"))
    real, failures = bronze.ingest, iter([LandingError("the disk was away")])

    def flaky(*arguments: Any) -> Outcome:
        for failure in failures:
            raise failure
        return real(*arguments)

    monkeypatch.setattr(bronze, "ingest", flaky)

    with hosted(Host(lake.sessions)):
        report = refresh("retrying", overrides)

    assert report.passed


def test_flow_says_what_failed_and_keeps_what_was_judged(sensors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, overrides = sensors("failing")
    lake.deliver("readings", reading(1, "roof"), reading(2, "roof"))
    with hosted(Host(lake.sessions)):
        with pytest.raises(RunFailedError) as gated:
            refresh("failing", overrides)

        def broken(*_: Any) -> Outcome:
            raise LandingError("the disk was away")

        monkeypatch.setattr(bronze, "ingest", broken)
        with pytest.raises(RunFailedError, match="the disk was away") as failed:
            refresh("failing", overrides)

    [judged] = [outcome for outcome in gated.value.report.outcomes if outcome.checks]
    assert [(check.label, check.passed) for check in judged.checks] == [("unique(place)", False)]
    assert [outcome.status for outcome in failed.value.report.outcomes] == ["failed", "blocked", "blocked"]


def test_flow_does_not_overlap_another_run_of_its_pipeline(
    sensors: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, received = receiver
    monkeypatch.setenv("FAILURE_WEBHOOK", address)
    lake, overrides = sensors("locked")
    lake.deliver("readings", reading(1, "roof"))

    with lock.running(lake.conf, "the-other-run"), hosted(Host(lake.sessions)):
        with pytest.raises(LockedError, match=rf"run the-other-run, process {os.getpid()}, since"):
            refresh("locked", [*overrides, "notifications.on_failure=env:FAILURE_WEBHOOK"])

    assert lake.versions() == {}
    assert "the-other-run" in received[0]["text"]


def test_notice_that_cannot_be_posted_is_logged_without_its_address(
    sensors: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, overrides = sensors("untold")
    for address in ("http://127.0.0.1:1/secret", "http://secret:secret/", "secret"):
        monkeypatch.setenv("FAILURE_WEBHOOK", address)
        with pytest.raises(ConfError):
            refresh("untold", [*overrides, "notifications.on_failure=env:FAILURE_WEBHOOK"], table="silver.nosuch")

    said = [record.getMessage() for record in caplog.records if record.name == "medallion.alerts"]
    assert said == [
        f"on_failure: could not be told: {e}" for e in ("ConnectError", "InvalidURL", "UnsupportedProtocol")
    ]
    assert "secret" not in caplog.text


def test_error_for_people_is_logged_without_a_stack_trace(caplog: pytest.LogCaptureFixture) -> None:
    for error in (LandingError("the disk was away"), KeyError("ours")):
        try:
            raise error
        except Exception:
            logging.getLogger("prefect.task_runs").exception("Task run failed")

    [told, unexpected] = [record for record in caplog.records if record.getMessage() == "Task run failed"]
    assert told.exc_info is None
    assert unexpected.exc_info is not None


def test_nothing_begins_or_is_tried_again_after_the_end() -> None:
    turns = Turns(1)
    assert turns.may_retry()
    with turns.take():
        turns.end()

    assert not turns.may_retry()
    with pytest.raises(LakehouseError, match="not begun"), turns.take():
        pass


def test_a_dry_run_is_refused_since_a_flow_writes(sensors: Any) -> None:
    lake, overrides = sensors("dry")

    with pytest.raises(ConfError, match=r"runtime\.dry_run: a flow run writes; `medallion plan dry`"):
        refresh("dry", [*overrides, "runtime.dry_run=true"])

    assert lake.versions() == {}


def test_maintenance_is_a_flow_that_gives_way_to_a_run(sensors: Any) -> None:
    lake, overrides = sensors("maintained")
    lake.deliver("readings", reading(1, "roof"))
    overrides.append("storage.gold.keep_versions=30 days")  # which tables do not say yet
    assert lake.run().passed

    with hosted(Host(lake.sessions)):
        with lock.running(lake.conf, "at-work"), pytest.raises(LockedError, match="at-work"):
            maintain("maintained", overrides)
        done = {one.table: one.done for one in maintain("maintained", overrides)}

    assert done == {"maintained.gold.places": ["properties as conf says"]}
    assert "maintained.gold.places" in Artifact.get("maintained-maintenance").data
