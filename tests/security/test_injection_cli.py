"""Whatever is typed: one clear message and exit code 2, or taken for what it is; nothing is run, nothing is obeyed."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from medallion import cli, output
from medallion.cli import main
from medallion.landing import Landing
from medallion.session import Sessions
from tests import figures
from tests.lib.conftest import Lab
from tests.security.corpus import STRINGS
from tests.security.surroundings import executed, ran

# An argument of a command line holds no NUL; everything else may come.
TYPED = tuple(text for text in STRINGS if "\0" not in text)
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
TABLE = "lab.silver.readings"
# What is typed -> a command line with it; each is refused, but for what Known says.
SURFACES: dict[str, Callable[[str], Sequence[str]]] = {
    "a pipeline": lambda text: ["plan", text],
    "a pipeline to look at": lambda text: ["status", text],
    "a pipeline to audit": lambda text: ["audit", text, "--fast"],
    "a table": lambda text: ["show", text],
    "a table's last name": lambda text: ["history", f"lab.silver.{text}"],
    "a table to run": lambda text: ["run", "lab", "--table", text],
    "a layer": lambda text: ["run", "lab", "--layer", text],
    "a table to explain": lambda text: ["tables", "lab", text],
    "columns": lambda text: ["show", TABLE, "--columns", text],
    "a version": lambda text: ["show", TABLE, "--version", text],
    "a limit": lambda text: ["show", TABLE, "--limit", text],
    "a table to trace": lambda text: ["trace", text, "reading_id=a"],
    "a column to trace by": lambda text: ["trace", TABLE, f"{text}=a"],
    "a table's lineage": lambda text: ["lineage", text],
    "a column's lineage": lambda text: ["lineage", TABLE, text],
    "a version to trace": lambda text: ["trace", TABLE, "reading_id=a", "--at", text],
    "a version to compare": lambda text: ["diff", TABLE, text, "0"],
    "a version to reproduce": lambda text: ["reproduce", TABLE, "--at", text],
    "a run to ask": lambda text: ["sql", "lab", "SELECT 1", "--at", text],
    "a table to reprocess": lambda text: ["reprocess", text, "--record", "0123456789ab"],
    "a record": lambda text: ["reprocess", "lab.bronze.readings", "--record", text],
    "a pipeline to backfill": lambda text: ["backfill", text],
    "a table to backfill": lambda text: ["backfill", "lab", "--table", text],
    "a run": lambda text: ["audit", "lab", "--fast", "--at", text],
    "an override's key": lambda text: ["plan", "lab", f"{text}=1"],
    "a key of an override": lambda text: ["plan", "lab", f"runtime.{text}=1"],
    "an override": lambda text: ["plan", "lab", f"runtime.parallel_jobs={text}"],
    "an environment": lambda text: ["plan", "lab", f"environment={text}"],
    "a secret": lambda text: ["plan", "lab", f"notifications.on_failure={text}"],
    "a new pipeline": lambda text: ["new", "pipeline", text],
    "a new table": lambda text: ["new", "table", text],
    "a new table's last name": lambda text: ["new", "table", f"lab.gold.{text}"],
    "what a new table reads": lambda text: ["new", "table", "lab.gold.more", "--reads", text],
    "a source": lambda text: ["land", "lab", text, "canary.json"],
    "a file that is not there": lambda text: ["land", "lab", "readings", f"not-there/{text}"],
    "a day": lambda text: ["sample", "lab", "--day", text, "runtime.dry_run=true"],
    "a command": lambda text: [text],
    "a pipeline to maintain": lambda text: ["maintain", text],
    "a table to maintain": lambda text: ["maintain", f"lab.silver.{text}"],
    "a run to pin": lambda text: ["pin", "lab", text, "--until", "2999-01-01"],
    "a day to pin a run until": lambda text: ["pin", "lab", "run-0", "--until", text],
    "a run to let go of": lambda text: ["unpin", "lab", text],
}
NAMES = ("aux", "constructor", "fields", "payload", "rank", "rowid", "select")  # as good as any other
COLUMNS = ("_deleted", "_record_id")
NUMBERS = ("a version", "a limit", "an override", "a day")
MAY_BE_LEFT_OUT = ("columns", "a version", "a secret")


def _is_meant(surface: str, text: str) -> bool:
    """Tell whether a string is good at a place: a number, nothing, or what ends options and tells of them."""
    if text in ("--", "--help"):
        return True
    if surface in MAY_BE_LEFT_OUT and text.strip(" ,").strip().lower() in ("", "null", "~"):
        return True
    try:
        return surface in NUMBERS and int(text, 0) > 0
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand in an empty folder, with no Spark."""
    monkeypatch.setattr(Sessions, "start", lambda self: pytest.fail("Spark was started"))
    (tmp_path / "stand").mkdir()
    monkeypatch.chdir(tmp_path / "stand")


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def _refusal(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> str | None:
    """Return what is wrong with the way a command line is refused; None where it is refused as it should be."""
    code = main(arguments)
    told = capsys.readouterr()
    if code != 2:
        return f"exit code {code}: {told.out[:200]!r} {told.err[:200]!r}"
    if told.out or not told.err.strip() or "Traceback" in told.err:
        return f"told: {told.out[:200]!r} {told.err[:200]!r}"
    if OBEYED.search(told.err):
        return f"obeyed by a terminal: {told.err[:300]!r}"
    return None


@pytest.mark.parametrize("surface", SURFACES)
def test_what_is_typed_is_refused_in_words_a_terminal_prints(
    readings: Lab, capsys: pytest.CaptureFixture[str], surface: str, tmp_path: Path
) -> None:
    before = _files(readings.folder)
    wrong = {}
    known = NAMES if surface.startswith("a new") else COLUMNS if surface == "columns" else ()
    typed = [text for text in TYPED if text not in known]
    tried = typed[list(SURFACES).index(surface) % 2 :: 2]  # each at every other place: 7,000 take long
    for text in tried:
        problem = _refusal(capsys, SURFACES[surface](text))
        if problem is not None and not (problem.startswith("exit code 0") and _is_meant(surface, text)):
            wrong[text] = problem

    assert wrong == {}
    assert _files(readings.folder) == before
    assert executed(readings.folder, tmp_path / "stand") == []
    figures.note("injection", tried=len(tried), executed=ran(), unaccounted=len(wrong))


def test_a_moment_is_one_of_the_calendar_or_refused(readings: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Also days at the calendar's ends, which are none any more once a day is added."""
    import datetime as dt

    import pyarrow as pa

    at = pa.timestamp("us", tz="UTC")
    held = {
        "reading_id": pa.string(),
        "valid_from": at,
        "valid_to": at,
        "is_current": pa.bool_(),
        "_deleted": pa.bool_(),
    }
    moment = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
    rows = [{"reading_id": "a", "valid_from": moment, "valid_to": None, "is_current": True, "_deleted": False}]
    readings.commit("lab.gold.trend", pa.Table.from_pylist(rows, schema=pa.schema(list(held.items()))))
    ends = ("9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")

    wrong = {}
    for text in (*TYPED[::2], *ends):
        problem = _refusal(capsys, ["show", "lab.gold.trend", "--version", "0", "--as-of-event", text])
        if problem is not None and text not in ("--", "--help", "null", "NULL"):
            wrong[text] = problem

    assert wrong == {}
    figures.note("injection", tried=len(TYPED[::2]) + len(ends), executed=ran(), unaccounted=len(wrong))


def test_a_version_is_told_from_anything_else(readings: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Control of the moments above: one that is good shows its row."""
    assert main(["show", "lab.silver.readings", "--version", "0", "--limit", "2147483647"]) == 0
    assert main(["show", "lab.silver.readings", "--limit", "9223372036854775808"]) == 2
    assert "Must be <= 2147483647" in capsys.readouterr().err


def test_a_file_of_any_name_is_landed_under_that_very_name(
    lab: Lab, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its name and content are data; `key=value` is an override only where there is no such file."""
    names = []
    for text in TYPED:
        name = text.replace("/", "_")[:80] + ".json"
        with suppress(OSError):  # what this file system does not take
            (tmp_path / "stand" / name).write_text(json.dumps(text))
            names.append(name)
    files = [f"./{name}" for name in names]

    assert main(["land", "lab", "readings", *files, "--json"]) == 0

    landing = Landing(lab.conf(), "readings")
    (manifest,) = landing.after(0)
    landed = [(file.name, json.loads(content)) for file, content in landing.contents(manifest)]
    assert [name for name, _ in landed] == names
    assert {text.replace("/", "_")[:80] + ".json" for _, text in landed} == set(names)
    assert executed(lab.folder, tmp_path / "stand") == []
    figures.note("injection", tried=len(names), executed=ran(), unaccounted=0)


def test_a_line_of_what_was_typed_does_not_pass_for_one_of_ours(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["land", "lab", "readings", "x\nlab: passed in 1.0 s"]) == 2
    assert capsys.readouterr().err == "command line: no such file: x\\nlab: passed in 1.0 s\n"


def test_json_holds_every_string_and_nothing_that_a_terminal_obeys() -> None:
    written = output.as_text(list(STRINGS))

    assert json.loads(written) == list(STRINGS)
    assert not OBEYED.search(written.replace("\n", ""))


def test_the_console_prints_text_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of it is read as markup or as a picture's name, and a terminal finds nothing in it to obey."""
    for text in STRINGS:
        output.console().print(text, soft_wrap=True)
        printed = capsys.readouterr().out
        assert not OBEYED.search(printed), repr(text)
        if text.isprintable() and text.strip():
            assert printed == text + "\n"


@pytest.mark.parametrize("protection", ["errors", "console"])
def test_without_the_protection_a_terminal_would_obey(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, protection: str
) -> None:
    for place in (output, cli):
        monkeypatch.setattr(place, "printable", lambda text: text)
    if protection == "errors":
        main(["land", "lab", "readings", "\x1b[2J"])
    else:
        output.console().print("\x1b[2J")

    told = capsys.readouterr()
    is_red = "\x1b[2J" in told.out + told.err
    figures.control("injection", f"{protection} print what a terminal obeys", red=is_red)
    assert is_red
