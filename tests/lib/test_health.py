"""`medallion health`: what waits, when a run last passed, how much history is left, and its warning at half of that."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from medallion import cli, ops
from medallion.account import Mark
from medallion.lake import Lake
from medallion.landing import Landing
from medallion.run import Report
from medallion.step import Outcome
from medallion.views import health
from tests.lib.conftest import SILVER, Lab, account, rows_of

SILVER_NAME, GOLD_NAME = "lab.silver.readings", "lab.gold.daily"
KEPT = {"delta.logRetentionDuration": "interval 100 days", "delta.deletedFileRetentionDuration": "interval 90 days"}


def _followed(lab: Lab, behind: int = 1) -> None:
    """Have gold read silver's version 0, and silver move on by some versions, all of them good."""
    lake = Lake(lab.conf())
    for version in range(1 + behind):
        told = account(version, version)
        commit = CommitProperties(custom_metadata={"userMetadata": told.to_json()})
        rows = rows_of(SILVER, (f"r{version}", None, 1.0, f"id-{version}", False))
        path, kept = lake.path(SILVER_NAME), KEPT if version == 0 else None
        write_deltalake(path, rows, mode="append", commit_properties=commit, configuration=kept)
    state = lake.state(SILVER_NAME)
    assert state is not None
    lab.commit(GOLD_NAME, pa.table({"day": [None]}), account(0, 0, watermark={SILVER_NAME: Mark(0, state.table_id)}))


def _later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    monkeypatch.setenv("MEDALLION_NOW", (datetime.now(UTC) + timedelta(days=days)).isoformat())


def _of(lab: Lab) -> health.Pipeline:
    return health.of([lab.conf()]).pipelines[0]


def _recorded(lab: Lab, status: str, at: datetime) -> None:
    run = replace(lab.prepare(), run_id=f"run-{at:%d}")
    outcome = Outcome(SILVER_NAME, status)  # type: ignore[arg-type]
    ops.record(run, Report("lab", run.run_id, "dev", at.isoformat(), [outcome]))


@pytest.mark.parametrize(
    ("days", "standing", "trouble"),
    [(0.0, "ok", []), (44.0, "ok", []), (46.0, "half", ["warn"]), (88.0, "soon", ["red"])],
)
def test_the_margin_of_what_is_still_to_be_read_warns_at_half(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, days: float, standing: str, trouble: list[str]
) -> None:
    _followed(lab)
    _later(monkeypatch, days)

    found = _of(lab)

    (margin,) = found.margins
    assert (margin.consumer, margin.upstream, margin.pending, margin.kept_days) == (GOLD_NAME, SILVER_NAME, (1,), 90)
    assert margin.left_days == pytest.approx(90 - days, abs=0.1)
    assert margin.standing == standing
    assert [one.standing for one in found.troubles if one.subject == GOLD_NAME] == trouble


def test_a_consumer_that_has_read_all_has_all_of_the_margin(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    _followed(lab, behind=0)
    _later(monkeypatch, 89)

    (margin,) = _of(lab).margins

    assert (margin.pending, margin.left_days, margin.standing) == ((), 90, "ok")


def test_history_that_is_gone_is_red_and_says_what_to_do(lab: Lab) -> None:
    _followed(lab, behind=2)
    table = DeltaTable(Lake(lab.conf()).path(SILVER_NAME))
    table.create_checkpoint()  # without it the log would be refused as a whole
    for version in (0, 1):
        Path(table.table_uri.removeprefix("file://"), "_delta_log", f"{version:020}.json").unlink()

    found = _of(lab)

    assert found.standing == "red"
    assert [(one.subject, one.next.startswith("medallion run lab")) for one in found.troubles if "gone" in one.what]


def test_a_log_that_cannot_be_read_is_red_with_what_it_wants(lab: Lab) -> None:
    _followed(lab, behind=2)
    Path(Lake(lab.conf()).path(SILVER_NAME), "_delta_log", f"{1:020}.json").write_text("")

    found = _of(lab)

    assert found.standing == "red"
    assert "wanted the commit: bring it back from a backup" in found.troubles[0].what


def test_runs_backlog_and_stuck_tables_are_told(readings: Lab) -> None:
    landing = Landing(readings.conf(), "readings")
    for number in range(3):  # bronze has taken in the first
        landing.deliver([("0.json", b'{"id": %d}' % number)])
    _recorded(readings, "done", datetime(2026, 1, 1, tzinfo=UTC))
    _recorded(readings, "failed", datetime(2026, 1, 2, tzinfo=UTC))

    found = _of(readings)

    assert (found.last_run, found.last_passed) == ("2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00")
    assert [(one.source, one.deliveries) for one in found.backlog] == [("readings", 2)]
    assert {(one.standing, one.subject) for one in found.troubles} == {("red", SILVER_NAME)}


def test_bronze_ahead_of_landing_is_red(readings: Lab) -> None:
    assert "bronze has taken in 1 deliveries more than landing holds" in [one.what for one in _of(readings).troubles]


def test_nothing_yet_is_a_warning_only(lab: Lab) -> None:
    found = _of(lab)

    assert (found.standing, found.last_run, found.margins) == ("warn", None, [])
    assert [one.what for one in found.troubles] == ["no run yet"]


def test_the_command_exits_by_what_is_red(readings: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["health", "lab", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert cli.main(["health"]) == 1
    shown = capsys.readouterr().out

    assert told["passed"] is False
    assert told["pipelines"][0]["standing"] == "red"
    assert "lab, environment dev: red" in shown
    assert "next: medallion run lab" in shown
