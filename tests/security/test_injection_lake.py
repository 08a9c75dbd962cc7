"""One lake, one delivery of every string: payload, key, column and file name; all layers, and what tells of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from medallion import commits, graph, ops, output, query, report, run
from medallion.conf import Expectation
from medallion.errors import ConfError
from medallion.landing import Landing
from medallion.quarantine import name_of
from medallion.views import show
from tests import figures
from tests.security.corpus import GROUPS, STRINGS
from tests.security.surroundings import executed, ran

pytestmark = pytest.mark.slow

# A folder that is neither plain to Spark's SQL nor to a shell.
ODD = "la`ke'; DROP TABLE x; --"
CONF = """
description: Every string there is
sources:
  notes: {format: json, delivers: events, system: s, idempotency_key: $.id, key: $.id}
  sheet: {format: csv, delivers: snapshot, system: s, key: id, columns: {id: id}}
expectations:
  silver.notes:
    - {rule: regex, column: note, pattern: '^[A-Za-z\\\\s\\\\S]{0,20}$', severity: warn}
    - {rule: expression, expression: "note not like '%a%'", severity: quarantine}
    - {rule: unique, columns: [note_id], severity: fail}
"""
MODULES = {
    "bronze/notes.py": "from medallion.tables import Bronze\n\ntable = Bronze(source='notes')\n",
    "bronze/sheet.py": "from medallion.tables import Bronze\n\ntable = Bronze(source='sheet')\n",
    "silver/notes.py": '''
"""corpus.silver.notes: one row a note."""

from pyspark.sql import functions as F

from medallion.tables import CARRIED, Silver

table = Silver(
    reads="corpus.bronze.notes",
    key=("note_id",),
    sequence=("_delivery", "_position"),
    columns={"note_id": ("string", "key"), "note": ("string", "text")},
)


@table.transform
def notes(records):
    return records.select(
        F.get_json_object("payload", "$.id").alias("note_id"),
        F.get_json_object("payload", "$.note").alias("note"),
        *CARRIED,
    )
''',
}
# A column's name has no line end here: a header's cells are told apart by the plain way of reading, too.
COLUMNS = [
    text for text in STRINGS if not set(text) & set('\r\n",\0\x0b\x0c\x1c\x85\u2028\u2029') and text == text.strip()
]


def _payload(number: int, text: str) -> dict[str, str]:
    return {"id": f"{number} {text}", "note": text, f"{text} ": text}


@pytest.fixture(scope="module")
def lake(shared_scratch: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The lake after one run; each note is a file of a name as it is allowed."""
    roots = tmp_path_factory.mktemp("odd") / ODD
    overrides = [f"storage.{layer}.root={roots / layer}" for layer in ("landing", "bronze", "silver", "gold", "ops")]
    made = shared_scratch("corpus", MODULES, CONF, overrides)
    files = [(_named(number, text), json.dumps(_payload(number, text)).encode()) for number, text in enumerate(STRINGS)]
    Landing(made.conf, "notes").deliver(files)
    header = ",".join(["id", *(f"{number} {text}" for number, text in enumerate(COLUMNS))])
    cells = ",".join(["1", *COLUMNS])
    Landing(made.conf, "sheet").deliver([("sheet.csv", f"{header}\n{cells}\n".encode())])
    running = run.prepare(made.conf)
    made.done = run.run_tables(running, made.sessions, list(running.tables))
    ops.record(running, made.done)
    return made


def _named(number: int, text: str) -> str:
    name = f"{number} {text}".replace("/", "_").replace("\0", "_")
    return name.encode()[:200].decode(errors="ignore") + ".json"


def test_no_step_fails_and_every_record_is_accounted_for(lake: Any) -> None:
    assert [outcome.error for outcome in lake.done.outcomes if outcome.error] == []
    rows = {outcome.table: outcome.rows for outcome in lake.done.outcomes}
    silver = rows["corpus.silver.notes"]
    assert rows["corpus.bronze.notes"]["stored"] == len(STRINGS)
    assert silver["read"] == len(STRINGS) == silver["written"] + silver["quarantined"]
    figures.note("injection", tried=len(STRINGS), executed=ran(), unaccounted=len(STRINGS) - silver["read"])


def test_every_string_is_in_bronze_as_it_came(lake: Any) -> None:
    rows = query.select(_path(lake, "corpus.bronze.notes"), 'SELECT payload, "_key", "_landing_file" FROM t')
    found = {row["_key"]: json.loads(row["payload"]) for row in rows}

    assert found == {f"{n} {text}": _payload(n, text) for n, text in enumerate(STRINGS)}
    names = {row["_landing_file"].rpartition("/")[2] for row in rows}
    assert names == {_named(number, text) for number, text in enumerate(STRINGS)}


def test_every_string_is_in_silver_or_its_quarantine_as_it_came(lake: Any) -> None:
    silver = query.select(_path(lake, "corpus.silver.notes"), "SELECT note_id, note FROM t")
    quarantine = query.select(_path(lake, "corpus.quarantine.notes"), 'SELECT "row", payload FROM t')
    held = [json.loads(row["payload"] or "{}") or json.loads(row["row"]) for row in quarantine]
    found = {row["note_id"]: row["note"] for row in silver} | {row["id"]: row["note"] for row in held}

    assert (len(silver) > 0, len(quarantine) > 0) == (True, True)
    assert found == {f"{n} {text}": text for n, text in enumerate(STRINGS)}


def test_every_column_of_a_file_is_kept_by_its_very_name(lake: Any) -> None:
    (row,) = query.select(_path(lake, "corpus.bronze.sheet"), 'SELECT "_rescued" AS cells FROM t')
    cells = dict(row["cells"])

    assert cells == {f"{number} {text}": text for number, text in enumerate(COLUMNS)}
    figures.note("injection", tried=len(COLUMNS), executed=ran(), unaccounted=len(COLUMNS) - len(cells))


def test_the_schema_of_the_tables_is_as_declared(lake: Any) -> None:
    names = [field.name for field in DeltaTable(_path(lake, "corpus.silver.notes")).schema().fields]

    assert [name for name in names if not name.startswith("_")] == ["note_id", "note"]
    assert set(run.prepare(lake.conf).tables) == {"corpus.bronze.notes", "corpus.bronze.sheet", "corpus.silver.notes"}
    assert executed(Path.cwd(), lake.conf.project) == []


def test_what_is_shown_of_it_is_text(lake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The report, the rows of tables, and the quarantine, as a terminal prints them."""
    report.render(lake.done, run.prepare(lake.conf), output.console())
    for name in ("corpus.bronze.notes", "corpus.bronze.sheet", "corpus.silver.notes", "corpus.quarantine.notes"):
        show.of(lake.conf, name, limit=500).render(output.console())

    printed = capsys.readouterr().out
    assert not any((letter != "\n" and ord(letter) < 32) or 127 <= ord(letter) < 160 for letter in printed)
    assert "\u202e" not in printed


def test_a_report_in_markdown_shows_the_very_text() -> None:
    """As Prefect keeps it: a line stays a line, a cell a cell, and nothing in it is a link, a picture or HTML."""
    lost = []
    for text in STRINGS:
        (line,) = report._markdown_row("a", text)
        cells = _cells(line)
        if len(cells) != 2 or cells[1] != output.printable(" ".join(text.split())):
            lost.append(text)

    assert lost == []
    figures.note("injection", tried=len(STRINGS), executed=ran(), unaccounted=len(lost))


def _cells(line: str) -> list[str]:
    """Return the cells of a row as Markdown reads them; what is not escaped and means something fails."""
    cells, place = [""], 0
    inside = line.removeprefix("| ").removesuffix(" |")
    while place < len(inside):
        letter = inside[place]
        if letter == "\\":
            cells[-1] += inside[place + 1]
            place += 2
            continue
        if inside[place : place + 3] == " | ":
            cells.append("")
            place += 3
            continue
        assert letter not in "`*[]<>|~&!", (line, letter)
        cells[-1] += letter
        place += 1
    return cells


def test_without_its_escapes_a_report_has_other_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_as_said", lambda text: text.replace("|", "\\|"))

    (line,) = report._markdown_row("a", "[x](javascript:alert(1))")

    is_red = "[x](javascript" in line
    figures.control("injection", "a report's Markdown shows the very text", red=is_red)
    assert is_red


def test_a_name_in_an_expectation_is_a_columns_or_refused(lake: Any) -> None:
    """Columns and tables are held against what is declared, before Spark sees them; SQL is the engineer's own."""
    tables = graph.load(lake.conf)
    taken = []
    for text in STRINGS:
        for facts in (
            {"rule": "not_null", "column": text},
            {"rule": "unique", "columns": ["note_id", text]},
            {"rule": "relationships", "column": "note", "to": "corpus.silver.notes", "field": text},
            {"rule": "accepted_values", "column": text, "values": [text]},
        ):
            expectation = Expectation.model_validate(facts)
            try:
                graph._check_expectation("here", expectation, tables["corpus.silver.notes"], tables)
            except ConfError as error:
                assert "no column" in str(error)
            else:
                taken.append(text)

    assert taken == []
    figures.note("injection", tried=4 * len(STRINGS), executed=ran(), unaccounted=len(taken))


def test_values_and_patterns_of_expectations_are_values(lake: Any) -> None:
    """Every string is accepted as a value by the very rows that have it, in one pass over all of them."""
    from pyspark.sql import functions as F

    from medallion.expectations import misses

    rows = lake.sessions.start().createDataFrame([(text,) for text in STRINGS], "note string")
    accepted = Expectation.model_validate({"rule": "accepted_values", "column": "note", "values": list(STRINGS)})
    few = {"rule": "accepted_values", "column": "note", "values": list(GROUPS["sql"])}
    measured = [F.count_if(misses(accepted)), F.count_if(~misses(Expectation.model_validate(few)))]

    assert list(rows.agg(*measured).first()) == [0, len(set(GROUPS["sql"]))]


@pytest.mark.parametrize("is_quoted", [True, False])
def test_a_second_delivery_is_merged_into_a_table_of_any_path(
    lake: Any, monkeypatch: pytest.MonkeyPatch, is_quoted: bool
) -> None:
    """And without the quotes around paths Spark reads the folder's name as SQL."""
    if not is_quoted:
        monkeypatch.setattr(commits, "backquoted", lambda name: f"`{name}`")
    Landing(lake.conf, "notes").deliver([("new.json", json.dumps({"id": f"new {is_quoted}", "note": "x"}).encode())])

    silver = lake.run().outcomes[-1]

    if is_quoted:
        assert (silver.error, silver.technique) == (None, "affected_keys")
        return
    is_red = silver.error is not None and "PARSE_SYNTAX_ERROR" in silver.error
    figures.control("injection", "paths are quoted in Spark's SQL", red=is_red)
    assert is_red


def _path(lake: Any, name: str) -> str:
    running = run.prepare(lake.conf)
    if ".quarantine." in name:
        return running.lake.path(name_of(running.tables[name.replace(".quarantine.", ".silver.")]))
    return running.lake.path(name)
