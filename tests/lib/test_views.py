"""What the command line shows, from logs and manifests alone: rows, histories, standings and plans."""

import datetime as dt
import io
from decimal import Decimal

import pyarrow as pa
import pytest
from rich.console import Console

from medallion import graph, planner
from medallion.account import Account, Mark
from medallion.errors import ConfError, QualityError
from medallion.lake import Lake
from medallion.landing import Landing
from medallion.views import catalog, history, names, plan, show, status

DAY = dt.date(2026, 1, 31)


def _text(view, width=100):
    out = io.StringIO()
    view.render(Console(width=width, file=out, highlight=False))
    return out.getvalue()


def test_show_of_returns_the_last_good_version_without_tombstones_and_technical_columns(readings):
    found = show.of(readings.conf(), "lab.silver.readings")

    assert (found.version, found.good, found.total) == (0, True, 2)
    assert found.rows == [
        {"reading_id": "a", "day": DAY, "value": 1.5},
        {"reading_id": "b", "day": DAY, "value": 2.5},
    ]


def test_show_of_a_version_returns_that_version_though_it_did_not_pass(readings):
    found = show.of(readings.conf(), "lab.silver.readings", version=2, limit=1)

    assert (found.version, found.good, found.total, len(found.rows)) == (2, False, 3, 1)


def test_show_of_returns_the_columns_asked_for_technical_ones_too(readings):
    found = show.of(readings.conf(), "lab.silver.readings", columns=["_record_id", "value"])

    assert found.rows == [{"_record_id": "r1", "value": 1.5}, {"_record_id": "r2", "value": 2.5}]


def test_show_of_shows_technical_columns_of_bronze_after_the_others(readings):
    found = show.of(readings.conf(), "lab.bronze.readings")

    assert found.columns == ["payload", "_record_id", "_delivery"]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("readings", {}, "table: found 'readings'; wanted a full name <pipeline>.<layer>.<table>"),
        ("lab.silver.nope", {}, "lab.silver.nope: no such table; wanted one of lab.silver.readings"),
        ("lab.gold.daily", {}, "lab.gold.daily: does not exist yet; `medallion run lab --table gold.daily` makes it"),
        ("lab.quarantine.readings", {}, "lab.quarantine.readings: does not exist; no row was ever quarantined"),
        ("lab.silver.readings", {"version": 3}, "lab.silver.readings: no version 3; wanted one from 0 to 2"),
        ("lab.silver.readings", {"version": -1}, "lab.silver.readings: no version -1; wanted one from 0 to 2"),
        (
            "lab.silver.readings",
            {"columns": ["x"]},
            "lab.silver.readings: no column x; wanted some of reading_id, day, value, _record_id, _deleted",
        ),
    ],
)
def test_show_of_refuses_what_is_not_there_and_says_what_is(readings, name, given, message):
    with pytest.raises(ConfError) as error:
        show.of(names.load(name, ()), name, **given)

    assert str(error.value) == message


def test_show_of_a_table_that_never_passed_says_how_to_look_at_it_all_the_same(lab):
    rows = pa.table({"day": [DAY], "readings": [1]})
    lab.commit("lab.gold.daily", rows, Account("r", "full", "first load", "", data=0, good=-1))

    with pytest.raises(QualityError, match="no version passed its gate yet; --version 0 shows the newest"):
        show.of(lab.conf(), "lab.gold.daily")


def test_show_render_leaves_out_what_is_too_wide_and_says_so():
    rows = [{"a": "x" * 60, "b": None, "c": "y" * 60, "d": 1}]

    text = _text(show.Rows("lab.gold.daily", 3, True, ["a", "b", "c", "d"], rows, 1234))

    assert text.splitlines()[1].split() == ["x" * 37 + "...", "y" * 37 + "...", "1"]
    assert "lab.gold.daily, version 3, as readers see it: 1 of 1,234 rows" in text
    assert "not shown: b (--columns a,b or --json shows them)" in text
    assert max(map(len, text.splitlines())) <= 100


def test_show_render_writes_values_as_people_would():
    at = dt.datetime(2026, 1, 31, 6, tzinfo=dt.UTC)
    values = [None, Decimal("1.50"), at, [("k", "v")], [{"rule": "r", "found": None}], {"x": [1, 2]}, "[red]a\nb"]
    row = {str(number): value for number, value in enumerate(values)}

    cells = _text(show.Rows("t", 0, False, list(row), [row], 1, asked=True), width=200).splitlines()[1]

    assert cells.split("  ")[:3] == ["null", "1.50", "2026-01-31 06:00:00Z"]
    assert cells.rstrip().endswith("k=v  r  x=1, 2  [red]a b")


def test_history_entries_tell_versions_that_passed_from_those_that_did_not(readings):
    found = history.of(readings.conf(), "lab.silver.readings")

    assert [(e.version, e.standing) for e in found.entries] == [(2, "not passed"), (1, "verdict"), (0, "current")]
    assert found.entries[0].technique == "affected_keys"
    assert found.entries[2].reads == [history.Read("lab.bronze.readings", -1, 0)]
    assert found.more is False


def test_history_entries_mark_older_good_versions_and_commits_of_others(lab):
    day = pa.table({"day": [DAY], "readings": [1]})
    for version in (0, 1):
        lab.commit("lab.gold.daily", day, Account("r", "full", "x", "", data=version, good=version))
    lab.commit("lab.gold.daily", day)

    found = history.of(lab.conf(), "lab.gold.daily")

    assert [e.standing for e in found.entries] == ["foreign", "current", "good"]


def test_history_entries_tell_a_moved_watermark_from_a_verdict(lab):
    day = pa.table({"day": [DAY], "readings": [1]})
    for until in (1, 2):
        mark = {"lab.silver.readings": Mark(until, "id")}
        lab.commit("lab.gold.daily", day, Account("r", "full", "x", "", mark, data=0, good=0))

    assert [e.standing for e in history.of(lab.conf(), "lab.gold.daily").entries] == ["no rows", "current"]


def test_history_of_returns_no_more_than_asked_for_and_says_that_there_is_more(readings):
    found = history.of(readings.conf(), "lab.silver.readings", limit=2)

    assert ([e.version for e in found.entries], found.more) == ([2, 1], True)
    assert "older versions: --limit" in _text(found)


def test_history_render_tells_how_why_rows_and_from_what(readings):
    text = _text(history.of(readings.conf(), "lab.silver.readings"))

    assert "version 0  current" in text
    assert "how  full, by WRITE" in text
    assert "3 read, 3 written" in text
    assert "lab.bronze.readings, all up to 0" in text


def test_status_of_counts_rows_as_readers_see_them_and_what_waits_outside(readings):
    for number in range(3):
        Landing(readings.conf(), "readings").deliver([(f"{number}.json", b"{}")])
    held = pa.table({"outcome": ["quarantined", "quarantined", "waiting"]})
    readings.commit("lab.quarantine.readings", held)

    (found,) = status.of([readings.conf()]).pipelines

    tables = {table.table: table for table in found.tables}
    silver = tables["lab.silver.readings"]
    assert (silver.version, silver.data, silver.good, silver.rows) == (2, 2, 0, 2)
    assert (silver.quarantined, silver.waiting, silver.technique) == (2, 1, "affected_keys")
    assert tables["lab.gold.daily"] == status.Standing("lab.gold.daily")
    assert found.sources == [status.Delivered("readings", deliveries=3, pending=2)]


def test_status_render_says_which_tables_readers_see_at_an_older_version(readings):
    text = _text(status.of([readings.conf()]))

    told = "lab.silver.readings: version 2 did not pass its gate, or was not judged; readers see version 0"
    assert told in " ".join(text.split())
    assert "none yet: `medallion run lab`" in text


def _planned(lab, **chosen):
    run = lab.prepare()
    return {p.table: p for p in plan.of(run, graph.select(run.tables, **chosen)).tables}


def test_plan_of_an_empty_lake_plans_first_loads_of_what_is_in_landing(lab):
    Landing(lab.conf(), "readings").deliver([("1.json", b"{}"), ("2.json", b'{"a": 1}')])

    found = _planned(lab)

    assert [(p.technique, p.reason) for p in found.values()] == [
        ("append", "1 new delivery"),
        ("full", "first load"),
        ("full", "first load"),
        ("full", "first load"),
    ]
    assert found["lab.bronze.readings"].reads == [plan.Read("landing of readings", 0, 1, 1, 2, 10)]
    assert found["lab.gold.trend"].reads == [plan.Read("lab.gold.daily", -1, "next")]
    assert not (lab.folder / "data/bronze").exists()


def test_plan_of_an_empty_landing_says_that_everything_starts_empty(lab):
    found = _planned(lab)

    assert found["lab.bronze.readings"].technique == "append"
    assert found["lab.bronze.readings"].reason == "no delivery yet: it starts empty"
    assert (found["lab.silver.readings"].technique, found["lab.silver.readings"].reason) == ("full", "first load")


def test_plan_says_which_table_outside_of_a_part_it_waits_for(lab):
    found = _planned(lab, layer="silver")

    assert found["lab.silver.readings"].technique == "blocked"
    assert found["lab.silver.readings"].reason == "waits for lab.bronze.readings: no version to read"


def test_plan_of_a_part_takes_the_tables_outside_it_as_they_are(readings):
    Landing(readings.conf(), "readings").deliver([("1.json", b"{}")])

    found = _planned(readings, layer="gold")

    assert list(found) == ["lab.gold.daily", "lab.gold.trend"]
    assert found["lab.gold.daily"].technique == "blocked"


def test_plan_of_a_changed_definition_plans_a_full_refresh(readings):
    found = _planned(readings)

    silver = found["lab.silver.readings"]
    assert (silver.technique, silver.reason) == ("full", "its definition changed")
    assert silver.reads == [plan.Read("lab.bronze.readings", -1, 0)]


def test_plan_of_a_table_whose_newest_version_was_not_judged_plans_its_gate(lab):
    _settled(lab, good=-1)

    assert _planned(lab)["lab.silver.readings"].technique == "judge"
    assert _planned(lab)["lab.gold.daily"] == plan.Planned(
        "lab.gold.daily", "full", "first load", None, [plan.Read("lab.silver.readings", -1, "next")]
    )


def test_plan_of_tables_that_are_up_to_date_plans_nothing_until_something_lands(lab):
    _settled(lab, good=0)
    before = _planned(lab)["lab.silver.readings"]
    for number in range(2):
        Landing(lab.conf(), "readings").deliver([(f"{number}.json", b"{}")])

    after = _planned(lab)["lab.silver.readings"]

    assert (before.technique, before.reason, before.reads) == ("skip", "nothing changed upstream", [])
    assert (after.technique, after.reason) == ("affected_keys", "after lab.bronze.readings")
    assert after.reads == [plan.Read("lab.bronze.readings", 0, "next")]


def test_plan_render_fits_and_counts_what_would_be_refreshed(lab):
    Landing(lab.conf(), "readings").deliver([("1.json", b"x" * 2500)])
    run = lab.prepare()

    text = _text(plan.of(run, list(run.tables)))

    assert "1 file, 2.5 kB" in text
    assert "all of silver.readings" in text
    assert "4 of 4 tables would be refreshed; nothing was written" in text
    assert max(map(len, text.splitlines())) <= 100


def _settled(lab, good):
    """Give bronze and silver one version each, which the planner takes for today's definition."""
    landed = {"landing.readings": Mark(1, since=0)}
    lab.commit(
        "lab.bronze.readings", pa.table({"payload": ["{}"]}), Account("r", "append", "", "", landed, data=0, good=0)
    )
    run = lab.prepare()
    upstream = {"lab.bronze.readings": Lake(lab.conf()).state("lab.bronze.readings")}
    planned = planner.plan(run, run.tables["lab.silver.readings"], upstream)
    account = Account("r", "full", "first load", planned.fingerprint, planned.marks, data=0, good=good)
    lab.commit("lab.silver.readings", pa.table({"reading_id": ["a"]}), account)


def test_catalog_of_explains_tables_and_columns_as_declared(lab):
    run = lab.prepare()

    found = catalog.of(lab.conf(), run.tables, ["lab.silver.readings"], detailed=True)

    (entry,) = found.tables
    assert (entry.kind, entry.key, entry.reads) == ("silver", ["reading_id"], ["lab.bronze.readings"])
    assert entry.grain == "one row per reading, as last sent."
    assert entry.doc == "Values are in degrees."
    assert catalog.Column("value", "double", "degrees") in entry.columns
    assert [one["label"] for one in entry.expectations] == ["unique(reading_id)", "not_null(value)", "range(value)"]
    assert "Values are in degrees." in _text(found)


def test_catalog_of_bronze_has_the_columns_that_the_engine_gives_it(lab):
    run = lab.prepare()

    (entry,) = catalog.of(lab.conf(), run.tables, ["lab.bronze.readings"], detailed=True).tables

    assert entry.reads == ["source readings"]
    assert catalog.Column("payload", "string", "The record exactly as received") in entry.columns


def test_catalog_render_of_all_is_a_line_a_table(lab):
    run = lab.prepare()

    text = _text(catalog.of(lab.conf(), run.tables, list(run.tables), detailed=False))

    assert "lab.gold.trend       derived    one row per day, with the change to the day before." in text


def test_catalog_of_takes_the_first_sentence_for_the_grain_however_it_is_wrapped(lab):
    run = lab.prepare()

    (entry,) = catalog.of(lab.conf(), run.tables, ["lab.gold.trend"], detailed=True).tables

    assert entry.grain == "one row per day, with the change to the day before."
    assert entry.doc == "The first day has none.\nDays without readings are left out."
