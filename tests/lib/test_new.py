"""New pipelines and tables: what is written works at once, and nothing that was there is lost."""

import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medallion.cli import main
from medallion.conf.yaml_file import parse_yaml
from medallion.errors import ConfError
from medallion.new.declared import declared
from medallion.new.entries import added

REPOSITORY = Path(__file__).resolve().parents[2]
CONF = """\
# Rooms of a house.
description: Rooms  # all of them

# Where they come from.
sources:
    rooms: {format: csv, delivers: snapshot, key: Room ID, system: house}  # by hand
    doors: {format: json, delivers: events, key: "$.door['key id']", system: house}

# What we hold to be true.
expectations:
    silver.rooms:  # the only one
        - {rule: unique, columns: [id]}
"""
BRONZE = '"""Rooms."""\nfrom medallion.tables import Bronze\n\ntable = Bronze(source="{}")\n'
SILVER = '''
"""One row a room."""
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver

MORE = {"size": ("int", "Size")}
table = Silver(
    reads="house.bronze.rooms",
    key=("id",),
    sequence=("_delivery",),
    columns={
        "id": ("string", "Id"),
        "words": ("array<string>", "Words"),
        "built_on": (
            "date",
            'The "day" on which a room was built, as the house book has it: of the first stone, not of the last one',
        ),
        **MORE,
    },
)


@table.transform
def rooms(records):
    return records.select(F.lit("1").alias("id"), *CARRIED)
'''
MODULES = {
    "bronze/rooms.py": BRONZE.format("rooms"),
    "bronze/doors.py": BRONZE.format("doors"),
    "silver/rooms.py": SILVER,
}


@pytest.fixture
def house(project, monkeypatch):
    """A project with one small pipeline, in which commands are given."""
    folder = project("house", MODULES, CONF).project
    shutil.copy(REPOSITORY / "prefect.yaml", folder)
    monkeypatch.setenv("MEDALLION_HOME", str(folder))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return folder


def told(capsys):
    found = capsys.readouterr()
    return json.loads(found.out) if found.out.startswith("{") else found.err


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def require_tidy(folder, files):
    """Fail where the linter, or the formatter, would change what was written."""
    shutil.copy(REPOSITORY / "ruff.toml", folder)
    (folder / "lib").symlink_to(REPOSITORY / "lib")  # by which it tells whose imports are ours
    ruff = str(Path(sys.executable).parent / "ruff")
    paths = [path for path in files if path.endswith(".py")]
    for words in (["check", "--no-cache"], ["format", "--no-cache", "--diff"]):
        done = subprocess.run([ruff, *words, *paths], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_pipeline_is_planned_and_takes_a_line_by_hand(house, capsys):
    assert main(["new", "pipeline", "weather", "--json"]) == 0
    written = told(capsys)
    require_tidy(house, written["made"])

    assert written["changed"] == ["prefect.yaml"]
    assert written["next"][0] == "pytest tests/jobs/weather"
    assert main(["plan", "weather", "--json"]) == 0
    assert {step["table"] for step in told(capsys)["tables"]} >= {"weather.bronze.events", "weather.gold.daily_events"}
    (land,) = [command for command in written["next"] if command.startswith("medallion land")]
    words = [str(house / word) if word.endswith(".jsonl") else word for word in land.split()[1:]]
    assert main([*words, "--json"]) == 0
    assert told(capsys)["deliveries"][0]["source"] == "events"


def test_a_new_pipeline_has_a_deployment_without_a_schedule(house, capsys):
    from flows import deployment

    before = (house / "prefect.yaml").read_text()
    (house / "conf/pipelines/house.yaml").unlink()  # it has none
    named = before.partition("deployments:\n")[0] + "deployments:\n  # ours\n"
    (house / "prefect.yaml").write_text(named)

    assert main(["new", "pipeline", "weather"]) == 0

    assert (house / "prefect.yaml").read_text().startswith(named)
    deployment.check(house)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["house.silver.doors"], ["key_id"]),
        (["house.silver.others", "--reads", "bronze.rooms"], ["room_id"]),
        (["house.gold.days"], ["built_on"]),
        (["house.gold.whole", "--kind", "mart"], ["id"]),
        (["house.gold.places", "--kind", "derived", "--reads", "house.silver.rooms"], ["id"]),
    ],
)
def test_a_new_table_is_planned_expected_of_and_its_conf_keeps_its_comments(house, capsys, words, key):
    assert main(["new", "table", *words, "--json"]) == 0
    written = told(capsys)
    require_tidy(house, written["made"])

    name = words[0]
    assert main(["plan", "house", "--table", name, "--json"]) == 0
    assert [step["table"] for step in told(capsys)["tables"]] == [name]
    now = (house / "conf/pipelines/house.yaml").read_text()
    changes = list(difflib.ndiff(CONF.splitlines(), now.splitlines()))
    assert [line for line in changes if line[0] in "-?"] == []
    short = name.partition(".")[2]
    assert parse_yaml(now, "conf")["expectations"][short] == [{"rule": "unique", "columns": key, "severity": "fail"}]
    assert next(line[2:] for line in changes if line[0] == "+") == f"    {short}:"  # as deep as its neighbours
    assert len(written["made"]) == 2 and written["made"][1].startswith(f"tests/jobs/{name.replace('.', '/')[:9]}")


def test_a_new_bronze_table_brings_its_source_and_leads_to_silver(house, capsys):
    assert main(["new", "table", "house.bronze.keys", "--json"]) == 0
    written = told(capsys)
    assert (written["made"], written["changed"]) == (["jobs/house/bronze/keys.py"], ["conf/pipelines/house.yaml"])
    assert "    keys:\n        format: json" not in (house / "conf/pipelines/house.yaml").read_text()
    assert "    keys:\n      format: json" in (house / "conf/pipelines/house.yaml").read_text()

    assert main(written["next"][1].split()[1:]) == 0
    capsys.readouterr()
    assert main(["plan", "house", "--table", "silver.keys", "--json"]) == 0


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["pipeline", "house"], "conf/pipelines/house.yaml: is there already"),
        (["pipeline", "Weather"], "pipeline: found 'Weather'; wanted a name of a-z"),
        (["pipeline", "../x"], "found '../x'"),
        (["pipeline", "import"], "found 'import'"),
        (["pipeline", "pipeline"], "jobs/pipeline.py: is there already"),
        (["pipeline", "weather", "--kind", "mart"], "--kind and --reads are for tables"),
        (["table", "silver.rooms"], "found 'silver.rooms'; wanted a full name PIPELINE.LAYER.TABLE"),
        (["table", "shed.silver.rooms"], "pipeline 'shed': no such file in conf/pipelines; wanted one of house"),
        (["table", "house.platinum.rooms"], "layer: found 'platinum'; wanted one of bronze, silver, gold"),
        (["table", "house.silver.doors", "--reads", "bronze.none"], "--reads: found 'bronze.none'; wanted one of"),
        (["table", "house.silver.rooms", "--reads", "bronze.none"], "jobs/house/silver/rooms.py: there already"),
        (["table", "house.silver.rooms"], "jobs/house/silver/rooms.py: there already; nothing was written"),
        (["table", "house.gold.2nd"], "table: found '2nd'"),
        (["table", "house.gold.table"], "table: found 'table', which its module uses otherwise"),
        (["table", "house.silver.x", "--kind", "mart"], "--kind mart: is for gold tables"),
        (["table", "house.gold.x", "--kind", "cube"], "cube"),
        (["table", "house.silver.x"], "found house.bronze.doors, house.bronze.rooms to read; wanted one of them"),
        (["table", "house.gold.x", "--reads", "gold.y"], "--reads: found 'gold.y'; wanted one of house.silver.rooms"),
        (["table", "house.bronze.x", "--reads", "silver.rooms"], "a bronze table takes in a source; wanted none"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is(house, capsys, words, refusal):
    (house / "jobs" / "pipeline.py").touch()
    before = files_of(house)

    assert main(["new", *words]) == 2

    assert refusal in told(capsys)
    assert files_of(house) == before


def test_half_a_table_is_taken_back(house, capsys):
    (house / "tests").write_text("no folder")
    before = files_of(house)

    assert main(["new", "table", "house.gold.days"]) == 2

    assert "nothing was written" in told(capsys)
    assert files_of(house) == before


def test_a_key_that_is_not_written_out_is_told(house):
    (house / "jobs/house/gold").mkdir()
    (house / "jobs/house/gold/made.py").write_text("from x import Derived, KEY\n\ntable = Derived(reads=(), key=KEY)\n")

    with pytest.raises(ConfError, match=r"jobs/house/gold/made\.py: its key, or the type of a key column, is not"):
        declared(house, "house.gold.made")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "sources:\n  new: 1\n"),
        ("a: 1\n", "a: 1\n\nsources:\n  new: 1\n"),
        ("a: 1", "a: 1\n\nsources:\n  new: 1\n"),
        ("sources: {}  # none yet\nb: 1\n", "sources:  # none yet\n  new: 1\nb: 1\n"),
        ("sources:\nb: 1\n", "sources:\n  new: 1\nb: 1\n"),
        ("sources:\n   old: 1\n\n# of b\nb: 1\n", "sources:\n   old: 1\n   new: 1\n\n# of b\nb: 1\n"),
        ("sources:\n# odd\n  old: 1\n  # last\nb: 1\n", "sources:\n# odd\n  old: 1\n  # last\n  new: 1\nb: 1\n"),
        ("sources:\n  x: 1\n\n  y: 2\n", "sources:\n  x: 1\n\n  y: 2\n\n  new: 1\n"),
        ("sources:\r\n  x: 1\r\nb: 1\r\n", "sources:\r\n  x: 1\r\n  new: 1\r\nb: 1\r\n"),
        ("\ufeffsources:\n  x: 1\n", None),
        ("sources: {x: 1}\n", None),
        ("'sources':\n  x: 1\n", None),
        ("sources:\n  new: 0\n", None),
        ("sources:\n  x: |\n    a\n# b\nsources_too: 1\n", "sources:\n  x: |\n    a\n  new: 1\n# b\nsources_too: 1\n"),
    ],
)
def test_an_entry_is_added_where_a_person_would(before, after):
    if after is not None:
        assert added(before, "sources", "new: 1\n", "conf.yaml") == after
    else:
        with pytest.raises(ConfError, match=r"conf\.yaml: sources: cannot be added to .*; add by hand:\n  new: 1"):
            added(before, "sources", "new: 1\n", "conf.yaml")


def test_an_item_is_added_to_a_list_at_the_margin():
    assert added("them:\n- a\n- b\nx: 1\n", "them", "- c\n", "conf.yaml") == "them:\n- a\n- b\n- c\nx: 1\n"


def test_what_is_no_list_gets_no_item():
    with pytest.raises(ConfError, match="them: cannot be added to"):
        added("them:\n  a: 1\n", "them", "- c\n", "conf.yaml")


def test_other_line_separators_stay_in_their_text():
    before = 'sources:\n  x: "one\u2028  two"\n'

    assert added(before, "sources", "new: 1\n", "conf.yaml") == f"{before}  new: 1\n"


def test_help_and_writing_need_no_spark(house):
    code = (
        "import sys\nfrom medallion.cli import main\n"
        "codes = [main(words.split()) for words in sys.argv[1:]]\n"
        "assert codes == [0] * len(codes), codes\n"
        "assert not {'pyspark', 'pyarrow', 'deltalake', 'prefect'} & set(sys.modules)\n"
    )
    commands = [
        "--help",
        "new --help",
        "new pipeline weather",
        "new table house.gold.days",
        "new table house.silver.doors",
    ]

    done = subprocess.run([sys.executable, "-c", code, *commands], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_what_is_written_passes_its_own_tests(tmp_path):
    """In a copy of this project, in a process of its own."""
    copy = tmp_path / "copy"
    for folder in ("conf", "jobs", "lib", "scripts"):
        shutil.copytree(REPOSITORY / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.cfg", "prefect.yaml", "tests/conftest.py", "tests/figures.py"):
        (copy / file).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / file, copy / file)
    commands = [
        "new pipeline weather",
        "new table weather.bronze.stations",
        "new table weather.silver.stations",
        "new table weather.gold.stations",
        "new table weather.gold.whole --kind mart --reads silver.stations",
        "new table weather.gold.places --kind derived --reads gold.daily_events",
    ]
    environment = {**os.environ, "MEDALLION_HOME": str(copy), "PYTHONPATH": str(copy / "lib")}

    def call(*words):
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    for command in commands:
        call("-c", "import sys; from medallion.cli import main; sys.exit(main(sys.argv[1:]))", *command.split())

    passed = call("-m", "pytest", "-q", "tests/jobs/weather")
    call("-m", "mypy", "jobs/weather")

    assert "7 passed" in passed
