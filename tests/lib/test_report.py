"""Reports of runs: what a newcomer reads, what Prefect shows, and why rows are in quarantine."""

import io

import pyarrow as pa
import pytest
from rich.console import Console

from medallion import report
from medallion.check import Check
from medallion.progress import Progress
from medallion.reasons import Reason, quarantine_reasons
from medallion.run import Report
from medallion.step import Outcome

STARTED = "2026-01-31T06:00:00+00:00"
BRONZE = Outcome(
    "lab.bronze.readings", "done", "append", "1 new delivery", 0,
    {"read": 1201, "stored": 1200, "duplicates": 1}, seconds=1.25,
)  # fmt: skip
CHECKS = [
    Check("unique(reading_id)", "fail", 0, 1200, passed=True),
    Check("not_null(value)", "quarantine", 3, 1200, passed=False, example="null | or so"),
    Check("range(value)", "warn", 12, 1200, passed=True, example="101.0"),
]
SILVER = Outcome(
    "lab.silver.readings", "done", "affected_keys", "lab.bronze.readings none to 0", 4,
    {"read": 1200, "written": 1190, "unchanged": 0, "superseded": 5, "quarantined": 3, "waiting": 2},
    CHECKS, 2.0, score=98.5,
)  # fmt: skip
GOLD = Outcome("lab.gold.daily", "skipped", "skip", "nothing changed upstream", 7, {"read": 0, "written": 0})
FAILED = Outcome("lab.gold.daily", "failed", error="lab.gold.daily: stopped before the commit: range(readings)")
BLOCKED = Outcome("lab.gold.trend", "blocked", reason="waits for lab.gold.daily")


def _report(*outcomes):
    return Report("lab", "20260131T060000000000Z-1a2b3c4d", "dev", STARTED, list(outcomes), 12.34)


def _rendered(lab, made, **given):
    out = io.StringIO()
    report.render(made, lab.prepare(), Console(width=100, file=out, highlight=False), **given)
    return out.getvalue()


def test_render_shows_each_table_with_what_went_in_and_came_out(lab):
    lines = _rendered(lab, _report(GOLD, SILVER, BRONZE)).splitlines()

    assert lines[0].startswith("lab: passed in 12.3 s, environment dev, run 20260131T060000000000Z-1a2b3c4d")
    assert lines[2].split() == "bronze.readings 1,201 1,200 - 0 append: 1 new delivery 1.2".split()
    assert lines[3].split() == "1 duplicate".split()
    silver = "silver.readings 1,200 1,190 3 4 affected_keys: bronze.readings none to 0 2.0"
    assert lines[4].split() == silver.split()
    assert lines[5].split() == "5 superseded, 2 waiting".split()
    assert lines[6].split() == "gold.daily - - - 7 skip: nothing changed upstream 0.0".split()


def test_render_keeps_to_the_width_of_its_console(lab):
    text = _rendered(lab, _report(BRONZE, SILVER, GOLD))

    assert max(map(len, text.splitlines())) <= 100


def test_render_counts_expectations_and_shows_those_not_met(lab):
    text = _rendered(lab, _report(SILVER))

    assert "3 expectations, 2 passed (1 within tolerance), 1 not met; quality score 98.50 of 100" in text
    assert "quarantine  silver.readings: not_null(value)  3 of 1,200  e.g. null | or so" in text
    assert "unique(reading_id)" not in text


def test_render_tells_why_a_step_failed_and_what_it_blocked(lab):
    text = _rendered(lab, _report(BRONZE, FAILED, BLOCKED))

    assert "lab: failed in" in text
    assert "failed  lab.gold.daily: stopped before the commit: range(readings)" in text
    assert "blocked: waits for gold.daily" in text


def test_render_ends_with_commands_that_carry_the_overrides_that_matter(readings):
    short = _rendered(readings, _report(GOLD)).splitlines()[-4:]
    given = ["storage.landing.root=/elsewhere/" + "x" * 60, "connections.lab.readings.url=http://127.0.0.1:1"]
    long = _rendered(readings, _report(GOLD), overrides=given)

    assert [line.split()[:3] for line in short] == [  # gold is not there yet: nothing to show
        ["medallion", "history", "lab.silver.readings"],
        ["medallion", "status", "lab"],
        ["medallion", "plan", "lab"],
        ["medallion", "replay", "lab"],
    ]
    assert long.splitlines()[-1].startswith("  medallion replay lab storage.landing.root=/elsewhere/")
    assert "connections" not in long


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([SILVER, Outcome("lab.gold.daily", "done", rows={"read": 400}, score=90.5)], 96.5),
        ([GOLD], None),
        ([Outcome("lab.gold.daily", "done", rows={"read": 0}, score=None)], None),
    ],
)
def test_score_weighs_tables_by_the_rows_they_read(outcomes, expected):
    assert report.score(_report(*outcomes)) == expected


def test_as_json_holds_tables_and_every_result():
    facts = report.as_json(_report(BRONZE, SILVER))

    assert (facts["passed"], facts["score"], facts["seconds"]) == (True, 98.5, 12.34)
    assert [table["table"] for table in facts["tables"]] == ["lab.bronze.readings", "lab.silver.readings"]
    assert facts["tables"][1]["rows"]["quarantined"] == 3
    expectations = facts["expectations"]
    assert (expectations["total"], expectations["passed"], expectations["failed"]) == (3, 2, 1)
    assert expectations["results"][1]["table"] == "lab.silver.readings"
    assert expectations["results"][1]["label"] == "not_null(value)"


def test_as_markdown_is_a_table_of_tables_and_one_of_what_was_not_met():
    text = report.as_markdown(_report(BRONZE, SILVER, FAILED))

    assert text.startswith("## lab: failed in 12.3 s\n")
    assert "| silver.readings | 1,200 | 1,190 | 3 | 4 | affected_keys: bronze.readings none to 0 | 2.0 |" in text
    assert "| not_null(value) | silver.readings | quarantine | 3 of 1,200 | null \\| or so |" in text
    assert "stopped before the commit: range(readings)" in text


def test_as_markdown_says_when_everything_was_met():
    met = Outcome("lab.gold.daily", "done", "full", "x", 1, {"read": 1, "written": 1}, [CHECKS[0]])

    assert "Every expectation was met." in report.as_markdown(_report(met))
    assert "no expectation had anything to judge" in report.as_markdown(_report(GOLD))


def test_as_markdown_tells_what_went_wrong_before_the_tables():
    text = report.as_markdown(_report(BRONZE, SILVER, FAILED))

    assert text.index("- **failed**") < text.index("| expectation not met |") < text.index("**Tables**")


def test_table_rows_put_the_accounting_in_words():
    row = report.table_rows(_report(SILVER))[0]

    assert (row["table"], row["status"]) == ("silver.readings", "done")
    assert row["rows"].startswith("1,200 read, 1,190 written")
    assert " 0 " not in f" {row['rows']}"


def test_quality_rows_begin_with_what_was_not_met():
    rows = report.quality_rows(_report(SILVER))

    assert [row["met"] for row in rows] == sorted((row["met"] for row in rows), key=["no", "yes"].index)
    assert rows[0]["expectation"] == "not_null(value)"


QUARANTINE = pa.schema(
    [
        ("_record_id", pa.string()),
        ("_ordinal", pa.int32()),
        ("outcome", pa.string()),
        ("reasons", pa.list_(pa.struct([("rule", pa.string()), ("found", pa.string())]))),
        ("waits_for", pa.string()),
        ("row", pa.string()),
        ("payload", pa.string()),
        ("landing_file", pa.string()),
        ("_delivery", pa.int64()),
        ("_position", pa.int64()),
    ]
)


def _held(number, reasons, outcome="quarantined", payload="{}", waits_for=None):
    missed = [{"rule": rule, "found": found} for rule, found in reasons]
    values = (f"r{number}", 0, outcome, missed, waits_for, "the row", payload, f"files/x/{number}.json", 1, number)
    return dict(zip(QUARANTINE.names, values, strict=True))


def test_quarantine_reasons_count_each_row_once_and_give_the_first_as_example(lab):
    rows = [
        _held(4, [("not_null(value)", "null"), ("readable", "value: cannot read 'x'")], payload="broken"),
        _held(3, [("readable", "value: cannot read 'y'"), ("not_null(day)", "null")], payload="first"),
        _held(2, [("range(value)", "999"), ("not_null(value)", "null")], payload=None),
        _held(1, [("not_null(value)", "null")], outcome="waiting"),
        _held(5, [("readable", "not a JSON object")]),
    ]
    lab.commit("lab.quarantine.readings", pa.Table.from_pylist(rows, schema=QUARANTINE))

    first, *others = quarantine_reasons(lab.prepare())

    assert first == Reason(
        "lab.silver.readings", "readable", 2, "value: cannot read 'y'", 1, "files/x/3.json", 3, "first"
    )
    # range(value) only warns, so that it is not what holds row 2 back.
    assert [(reason.text, reason.rows, reason.record) for reason in others] == [
        ("not a JSON object", 1, "{}"),
        ("not_null(value)", 1, "the row"),
    ]


def test_quarantine_reasons_are_none_where_nothing_was_ever_quarantined(lab):
    assert quarantine_reasons(lab.prepare()) == []


def test_reason_says_what_was_found_where_that_tells_anything():
    given = {"table": "t", "rows": 1, "delivery": 1, "landing_file": None, "position": 1, "record": ""}

    assert Reason(rule="regex(currency)", found="DOGE", **given).text == "regex(currency), found 'DOGE'"
    assert Reason(rule="not_null(value)", found="null", **given).text == "not_null(value)"


def test_render_gives_three_reasons_with_an_example_each(lab):
    rows = [_held(n, [("readable", f"problem {n}: x")], payload="p" * 300) for n in range(4)]
    lab.commit("lab.quarantine.readings", pa.Table.from_pylist(rows, schema=QUARANTINE))

    text = _rendered(lab, _report(SILVER))

    assert "4 rows, the first 3 of 4 reasons" in text
    assert "1 row  silver.readings: problem 0: x" in text
    assert "e.g. delivery 1, file 0.json, record 0:" in text
    assert "problem 3" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_waits_count_rows_by_what_they_look_for_and_give_an_example(lab):
    days = [f"lab.silver.days for zone=UTC, day=2026-01-0{day}" for day in (2, 1)]
    rows = [_held(n, [], outcome="waiting", waits_for=day) for n, day in enumerate(days)]
    rows += [_held(7, [], outcome="waiting", waits_for="lab.silver.places for place=a")]
    lab.commit("lab.quarantine.readings", pa.Table.from_pylist([*rows, _held(8, [])], schema=QUARANTINE))

    lines = _rendered(lab, _report(SILVER)).splitlines()

    start = lines.index("Waiting  3 rows, taken up when what they lack arrives")
    assert lines[start + 1 : start + 3] == [
        "  2 rows  silver.readings: for silver.days, e.g. zone=UTC, day=2026-01-01",
        "  1 row  silver.readings: for silver.places, e.g. place=a",
    ]


def test_render_says_nothing_of_waiting_where_nothing_waits(lab):
    assert "Waiting" not in _rendered(lab, _report(SILVER))


def _told(*, terminal, events):
    out = io.StringIO()
    console = Console(width=100, file=out, force_terminal=terminal, highlight=False)
    with Progress(console, 3, clock=iter(range(100)).__next__) as progress:
        for event in events:
            progress(event)
    return out.getvalue()


def test_progress_prints_a_line_for_each_table_that_ends():
    text = _told(terminal=False, events=["lab.bronze.readings", BRONZE, GOLD, FAILED])

    first, *lines = text.splitlines()
    assert first.endswith("3 tables: looking at what is new")
    assert [line.split("s  ", 1)[1].split(maxsplit=1) for line in lines] == [
        ["lab.bronze.readings", "append, 1,201 rows in, 1,200 out"],
        ["lab.gold.daily", "skipped, nothing changed upstream"],
        ["lab.gold.daily", "failed"],
    ]


def test_progress_on_a_terminal_has_a_line_that_tells_what_is_worked_on():
    text = _told(terminal=True, events=["lab.bronze.readings", BRONZE, "lab.silver.readings"])

    assert "1 of 3 tables: lab.silver.readings" in text
