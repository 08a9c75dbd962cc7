"""Records of runs: what is appended, what is told of it, and that nobody's rows are lost."""

import json
import multiprocessing
from pathlib import Path

from deltalake import DeltaTable

from medallion import conf as conf_door
from medallion import ops, run
from medallion.check import Check
from medallion.run import Report
from medallion.step import Outcome

STARTED = "2026-01-31T06:00:00+00:00"
SKIPPED = Outcome("lab.bronze.readings", "skipped", "skip", "no new delivery", None, {"read": 0})
DONE = Outcome(
    "lab.silver.readings", "done", "full", "first load", 0, {"read": 3, "written": 2, "quarantined": 1},
    [Check("not_null(value)", "quarantine", 1, 3, passed=False, example="null")], 1.5, score=66.67,
)  # fmt: skip
FAILED = Outcome("lab.gold.daily", "failed", error="no")


def _rows(lab, name):
    return DeltaTable(str(lab.folder / "data/ops/lab" / name)).to_pyarrow_table().to_pylist()


def test_record_appends_a_row_for_each_step_the_skipped_ones_too(lab):
    report = Report("lab", "r1", "dev", STARTED, [SKIPPED, DONE, FAILED], 2.5)

    ops.record(lab.prepare(), report)

    rows = _rows(lab, "runs")
    assert [(row["table"], row["status"], row["version"]) for row in rows] == [
        ("lab.bronze.readings", "skipped", None),
        ("lab.silver.readings", "done", 0),
        ("lab.gold.daily", "failed", None),
    ]
    assert {row["run_id"] for row in rows} == {"r1"}
    assert json.loads(rows[1]["rows"]) == {"read": 3, "written": 2, "quarantined": 1}
    assert (rows[1]["score"], rows[1]["seconds"], rows[2]["error"]) == (66.67, 1.5, "no")
    assert rows[0]["started_at"].isoformat() == STARTED


def test_record_appends_a_row_for_each_expectation(lab):
    ops.record(lab.prepare(), Report("lab", "r1", "dev", STARTED, [SKIPPED, DONE]))

    (row,) = _rows(lab, "quality")
    assert (row["table"], row["version"], row["label"]) == ("lab.silver.readings", 0, "not_null(value)")
    assert (row["failed"], row["total"], row["passed"], row["example"]) == (1, 3, False, "null")


def test_record_of_a_run_of_nothing_writes_nothing(lab):
    ops.record(lab.prepare(), Report("lab", "r1", "dev", STARTED))

    assert ops.last_runs(lab.conf(), 5) == []


def test_last_runs_tells_the_newest_first_and_counts_how_tables_ended(lab):
    prepared = lab.prepare()
    blocked = Outcome("lab.gold.trend", "blocked")
    ops.record(prepared, Report("lab", "r1", "dev", STARTED, [DONE], 1.0))
    ops.record(prepared, Report("lab", "r2", "dev", "2026-02-01T06:00:00+00:00", [SKIPPED, FAILED, blocked], 2.0))
    ops.record(prepared, Report("lab", "r3", "dev", "2026-02-02T06:00:00+00:00", [SKIPPED], 3.0))

    newest, failed = ops.last_runs(lab.conf(), 2)

    assert (newest["run_id"], newest["passed"], newest["skipped"], newest["seconds"]) == ("r3", True, 1, 3.0)
    assert (failed["run_id"], failed["passed"], failed["failed"], failed["done"]) == ("r2", False, 2, 0)


def _record_often(folder: Path, who: str, times: int) -> None:
    prepared = run.prepare(conf_door.load("lab", (), folder))
    for number in range(times):
        ops.record(prepared, Report("lab", f"{who}{number}", "dev", STARTED, [DONE]))


def test_record_by_two_processes_at_once_loses_no_row(lab):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_record_often, args=(lab.folder, who, 4)) for who in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0, 0]
    expected = sorted(f"{who}{number}" for who in "ab" for number in range(4))
    assert sorted(row["run_id"] for row in _rows(lab, "runs")) == expected
    assert sorted(row["run_id"] for row in _rows(lab, "quality")) == expected


def test_old_records_go_and_the_others_are_few_files(lab, monkeypatch):
    monkeypatch.setenv("MEDALLION_NOW", "2026-06-01T00:00:00+00:00")
    conf = lab.conf("storage.ops.keep_rows=1 year")
    for year in (2018, *[2026] * 3):
        ops.record(run.prepare(conf), Report("lab", f"r{year}", "dev", f"{year}-01-31T06:00:00+00:00", [DONE]))

    before = {one.name: one for one in ops.kept(conf)}
    ops.tidy(conf, "m1", "runs")

    assert before["runs"] == ops.Kept("runs", files=4, old=1)
    assert before["runs"].is_due
    assert [row["run_id"] for row in _rows(lab, "runs")] == ["r2026"] * 3
    after = {one.name: one for one in ops.kept(conf)}
    assert after["runs"] == ops.Kept("runs", files=1, old=0)
    assert not any(one.is_due for one in ops.kept(lab.conf()))
