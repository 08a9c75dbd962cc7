"""The command line: what each command does, what it prints where, and with which code it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from medallion import ops, run
from medallion.cli import main
from medallion.errors import LandingError
from medallion.landing import Landing
from medallion.run import Report
from medallion.session import Sessions
from medallion.step import Outcome

STARTED = "2026-01-31T06:00:00+00:00"


@pytest.fixture(autouse=True)
def _no_spark(monkeypatch):
    """Have Spark's start fail: no command of these tests needs it, unless it is given a stand-in."""
    monkeypatch.setattr(Sessions, "start", lambda self: pytest.fail("Spark was started"))


@pytest.fixture
def ran(monkeypatch):
    """Stand in for Spark and the steps: what would be run is noted, and ends as the test says."""
    calls = []

    def run_tables(prepared, sessions, names, *, listen):
        calls.append((list(names), prepared.asked.quarantined))
        for name in names:
            listen(name)
            listen(ran.outcome(name))
        return Report("lab", prepared.run_id, "dev", STARTED, [ran.outcome(name) for name in names], 1.0)

    def ran():
        return calls

    ran.outcome = lambda name: Outcome(name, "done", "full", "first load", 0, {"read": 2, "written": 2})
    monkeypatch.setattr(run, "run_tables", run_tables)
    monkeypatch.setattr(Sessions, "start", lambda self: None)
    return ran


def test_help_lists_the_commands(capsys):
    assert main(["--help"]) == 0

    text = capsys.readouterr().out
    for command in (
        "run",
        "plan",
        "replay",
        "status",
        "history",
        "show",
        "tables",
        "sample",
        "land",
        "audit",
        "maintain",
        "pin",
        "unpin",
        "pins",
        "version",
    ):
        assert f" {command} " in text
    assert "KEY=VALUE" in text


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "plan",
        "replay",
        "status",
        "history",
        "show",
        "tables",
        "sample",
        "land",
        "audit",
        "maintain",
        "pin",
        "pins",
    ],
)
def test_help_of_a_command_has_its_usage_with_overrides_and_json(capsys, command):
    assert main([command, "--help"]) == 0

    usage = " ".join(capsys.readouterr().out.split("\n\n")[0].split())
    assert usage.startswith(f"Usage: medallion {command}")
    assert usage.endswith("[KEY=VALUE ...] [--json]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], 'Unknown command "nope"'),
        (["run"], "requires an argument"),
        (["run", "lab", "--nope"], "--nope"),
        (["run", "lab", "--layer", "silver", "--table", "x"], "Mutually exclusive"),
        (["show", "lab.silver.readings", "--limit", "0"], "Must be >= 1"),
        (["run", "lab", "--layer", "copper"], "layer: found 'copper'; wanted one of bronze, silver, gold"),
        (["plan", "lab", "--table", "x"], "table: found 'x'; wanted one of lab.bronze.readings"),
        (["plan", "nope"], "pipeline 'nope': no such file in conf/pipelines; wanted one of lab"),
        (["plan", "lab", "environment=nope"], "environment 'nope': no such file in conf/platform; wanted one of dev"),
        (["plan", "lab", "runtime.nope=1"], "command line: runtime.nope: unknown key"),
        (["plan", "lab", "nonsense"], "command line: override 1: wanted key=value"),
        (["status", "lab", "other"], "command line: found lab, other; wanted at most 1 besides key=value"),
        (["version", "x"], "command line: found x; wanted at most 0 besides key=value"),
        (["history", "readings"], "wanted a full name <pipeline>.<layer>.<table>"),
        (["replay", "lab", "--table", "gold.daily"], "found lab.gold.daily; wanted a silver table"),
        (["land", "lab", "nope", "x.json"], "sources.nope: missing; found readings"),
        (["land", "lab", "readings"], "command line: no file; wanted at least one"),
        (["land", "lab", "readings", "gone.json"], "command line: no such file: gone.json"),
        (["maintain", "lab.gold.nope"], "table: found 'lab.gold.nope'; wanted one of lab.bronze.readings"),
        (["pin", "lab", "r", "--until", "soon"], "--until: found 'soon'; wanted a day such as 2027-03-31"),
        (["pin", "lab", "r", "--until", "2001-01-01"], "--until: found 2001-01-01, which has passed; wanted today or"),
        (["pin", "lab", "r", "--until", "2999-01-01"], "lab: found no commit of run 'r'; `medallion status lab` lists"),
        (["unpin", "lab", "r"], "lab: r is not pinned; `medallion pins lab` lists what is"),
        (["sample", "lab", "--day", "-1"], "sample of lab: day -1; wanted 0 or more"),
    ],
)
def test_wrong_use_is_one_message_and_exit_code_2(lab, capsys, arguments, message):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert (told.out, message in told.err, "Traceback" in told.err) == ("", True, False)

    assert main([*arguments, "--json"]) == 2
    told = capsys.readouterr()
    assert (told.err, message in json.loads(told.out)["error"]) == ("", True)


def test_what_a_person_can_act_on_is_exit_code_1(lab, capsys, monkeypatch):
    def refuse(self, files):
        raise LandingError("the disk is full")

    monkeypatch.setattr(Landing, "deliver", refuse)

    assert main(["sample", "lab"]) == 1
    assert capsys.readouterr().err == "the disk is full\n"


def test_what_nobody_expected_keeps_its_trace(lab, monkeypatch):
    monkeypatch.setattr(Landing, "newest", lambda self: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        main(["status", "lab"])


def test_the_keyboard_stops_with_exit_code_130_and_one_line(lab, capsys, ran):
    def stop(name):
        raise KeyboardInterrupt

    ran.outcome = stop

    assert main(["run", "lab", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"].startswith("stopped;")


def test_run_ends_with_a_report_and_leaves_a_record(lab, capsys, ran):
    assert main(["run", "lab", "--layer", "gold", "runtime.parallel_jobs=4"]) == 0

    told = capsys.readouterr()
    assert ran() == [(["lab.gold.daily", "lab.gold.trend"], False)]
    assert told.out.startswith("lab: passed in 1.0 s")
    assert "medallion plan lab runtime.parallel_jobs=4" in told.out
    assert "lab.gold.daily" in told.err and "lab: passed" not in told.err
    assert [recorded["done"] for recorded in ops.last_runs(lab.conf(), 5)] == [2]


def test_run_that_does_not_pass_is_exit_code_1_and_recorded_all_the_same(lab, capsys, ran):
    ran.outcome = lambda name: Outcome(name, "failed", error=f"{name}: no")

    assert main(["run", "lab", "--table", "silver.readings", "--json"]) == 1

    facts = json.loads(capsys.readouterr().out)
    assert (facts["passed"], facts["tables"][0]["error"]) == (False, "lab.silver.readings: no")
    assert facts["quarantine"] == []
    assert ops.last_runs(lab.conf(), 1)[0]["failed"] == 1


def test_run_of_a_dry_run_is_a_plan_and_writes_nothing(lab, capsys):
    assert main(["run", "lab", "runtime.dry_run=true", "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert facts["dry_run"] is True
    assert facts["tables"][0]["table"] == "lab.bronze.readings"
    assert not (lab.folder / "data").exists()


def _held(lab):
    row = {"_record_id": "r", "_ordinal": 0, "outcome": "waiting", "reasons": [], "row": "{}", "payload": "{}"}
    types = {"reasons": pa.list_(pa.struct([("rule", pa.string()), ("found", pa.string())])), "_ordinal": pa.int32()}
    row |= {"waits_for": "lab.silver.days for day=1", "landing_file": "f", "_delivery": 1, "_position": 1}
    whole = {"_delivery": pa.int64(), "_position": pa.int64()}
    schema = pa.schema([(name, (types | whole).get(name, pa.string())) for name in row])
    lab.commit("lab.quarantine.readings", pa.Table.from_pylist([row], schema=schema))


def test_replay_judges_silver_again_and_refreshes_what_depends_on_it(lab, capsys, ran):
    _held(lab)

    assert main(["replay", "lab", "--table", "silver.readings"]) == 0

    assert ran() == [(["lab.silver.readings", "lab.gold.daily", "lab.gold.trend"], True)]


def test_replay_says_what_it_would_judge_or_that_there_is_nothing(lab, capsys, ran):
    assert main(["replay", "lab"]) == 0
    _held(lab)
    assert main(["replay", "lab", "runtime.dry_run=true"]) == 0

    told = capsys.readouterr().out
    assert told.startswith("nothing to judge again\n")
    assert "lab.silver.readings: 0 quarantined, 1 waiting" in told
    assert ran() == []


def test_sample_delivers_a_day_of_the_size_asked_for(lab, capsys):
    assert main(["sample", "lab", "--orders", "3"]) == 0
    assert main(["sample", "lab", "--day", "1", "--json"]) == 0

    first, _, second = capsys.readouterr().out.partition("`medallion run lab` takes them in\n")
    assert first.split()[:5] == ["readings", "delivery", "1", "3", "files"]
    assert json.loads(second)["deliveries"] == [{"source": "readings", "number": 2, "files": 1, "bytes": 11}]
    assert Landing(lab.conf(), "readings").newest() == 2


def test_sample_of_a_pipeline_without_one_says_so(lab, capsys):
    (lab.folder / "jobs/lab/sample/__init__.py").unlink()
    (lab.folder / "jobs/lab/sample").rmdir()

    assert main(["sample", "lab"]) == 2
    assert "pipeline lab: no jobs/lab/sample" in capsys.readouterr().err


def test_land_delivers_files_as_one_delivery(lab, capsys, tmp_path):
    for name in ("a.json", "b=1.json"):
        (tmp_path / name).write_bytes(b"{}")

    assert main(["land", "lab", "readings", *[str(tmp_path / n) for n in ("a.json", "b=1.json")], "--json"]) == 0

    (delivered,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert delivered == {"source": "readings", "number": 1, "files": 2, "bytes": 4}
    assert [file.name for file in Landing(lab.conf(), "readings").manifest(1).files] == ["a.json", "b=1.json"]


def test_land_refuses_a_file_name_twice_and_delivers_nothing(lab, capsys, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.json").write_bytes(b"{}")

    assert main(["land", "lab", "readings", str(tmp_path / "x/a.json"), str(tmp_path / "y/a.json")]) == 2
    assert "found a.json twice" in capsys.readouterr().err
    assert Landing(lab.conf(), "readings").newest() == 0


@pytest.mark.parametrize("command", [["sample", "lab"], ["land", "lab", "readings", __file__]])
def test_a_dry_run_delivers_nothing(lab, capsys, command):
    assert main([*command, "runtime.dry_run=true"]) == 0

    assert "nothing was written" in capsys.readouterr().out
    assert Landing(lab.conf(), "readings").newest() == 0


def test_looking_prints_one_json_document(readings, capsys):
    commands = {
        "status": ["status"],
        "history": ["history", "lab.silver.readings", "--limit", "1"],
        "show": ["show", "lab.silver.readings", "--columns", "value", "--limit", "1"],
        "plan": ["plan", "lab", "--layer", "silver"],
        "tables": ["tables", "lab", "gold.daily"],
        "version": ["version"],
    }
    found = {}
    for name, arguments in commands.items():
        assert main([*arguments, "--json"]) == 0
        found[name] = json.loads(capsys.readouterr().out)

    assert found["status"]["pipelines"][0]["pipeline"] == "lab"
    assert [version["version"] for version in found["history"]["versions"]] == [2]
    assert found["show"]["rows"] == [{"value": 1.5}]
    assert found["plan"]["tables"][0]["technique"] == "full"
    column = {"name": "day", "type": "date", "text": "day", "personal": None}
    assert found["tables"]["tables"][0]["columns"][0] == column
    assert found["version"]["pyspark"] == "4.2.0"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "lab"],
        ["history", "lab.silver.readings"],
        ["show", "lab.silver.readings"],
        ["plan", "lab"],
        ["tables", "lab"],
        ["tables", "lab", "silver.readings"],
        ["version"],
    ],
)
def test_looking_prints_text_that_fits_a_page(readings, capsys, arguments):
    assert main(arguments) == 0

    text = capsys.readouterr().out
    assert text.strip()
    assert max(map(len, text.splitlines())) <= 100


def _start(code, *arguments):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "lib"), str(root)])}
    command = [sys.executable, "-c", f"import sys, medallion.cli as c; {code}", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_help_imports_nothing_heavy():
    heavy = "{'pyspark', 'deltalake', 'pyarrow', 'pandas', 'prefect'}"

    with _start(f"c.main(['--help']); sys.exit(bool({heavy} & set(sys.modules)))") as process:
        assert process.communicate()[1] == ""
    assert process.returncode == 0


LOOKS = [["status"], ["show", "lab.silver.readings"], ["history", "lab.silver.readings"]]


@pytest.mark.parametrize("arguments", LOOKS)
def test_looking_at_logs_imports_no_spark(readings, arguments):
    with _start("c.main(sys.argv[1:]); sys.exit('pyspark' in sys.modules)", *arguments) as process:
        assert process.communicate()[1] == ""
    assert process.returncode == 0


def test_output_that_nobody_reads_any_more_is_no_error(readings):
    with _start("sys.exit(c.main(['tables', 'lab', '--json']))") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
