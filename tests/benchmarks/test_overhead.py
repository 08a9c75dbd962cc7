import json
import sys
import time
from pathlib import Path

import pytest

from benchmarks import overhead
from benchmarks.overhead import Results, measure, prepare


def test_a_process_that_fails_is_told_with_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho about to fail\necho out of luck >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))

    assert measure(tmp_path, 0, "script", 0) == {"error": "exit code 3: out of luck"}


def test_what_a_process_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "left"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nsleep 600 & echo $! > {left}\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))

    measure(tmp_path, 0, "script", 0)

    deadline = time.monotonic() + 20
    while is_running(int(left.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_results_survive_and_only_failed_and_missing_runs_are_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhead, "_code", lambda: "as it is")
    first = Results(tmp_path / "found.json", 100)
    first.add({"repeat": 0, "way": "engine", "day": 0, "content": {}})
    first.add({"repeat": 0, "way": "script", "day": 0, "error": "out of luck"})

    again = Results(tmp_path / "found.json", 100)

    assert not again.lacks(0, "engine", 0)
    assert again.lacks(0, "script", 0)
    assert again.lacks(1, "engine", 0)
    again.add({"repeat": 0, "way": "script", "day": 0, "content": {}})
    assert [run["way"] for run in json.loads((tmp_path / "found.json").read_text())["runs"]] == ["engine", "script"]


def test_results_of_other_code_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "_code", lambda: "as it was")
    Results(tmp_path / "found.json", 100).add({"repeat": 0, "way": "engine", "day": 0, "content": {}})

    monkeypatch.setattr(overhead, "_code", lambda: "as it is")

    assert Results(tmp_path / "found.json", 100).lacks(0, "engine", 0)


def test_the_second_landing_goes_on_with_the_first(tmp_path: Path) -> None:
    prepare(400, tmp_path / "bench")

    deliveries = {
        landing: sorted(p.name for p in (tmp_path / "bench" / landing / "shop" / "orders" / "manifests").iterdir())
        for landing in ("landing0", "landing1")
    }

    assert deliveries == {
        "landing0": ["000000000001.json"],
        "landing1": ["000000000001.json", "000000000002.json"],
    }


def test_unknown_ways_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        overhead.main(["--only", "engine,magic"])

    assert "--only: found magic; wanted some of engine, script, flow, server" in capsys.readouterr().err
