"""The site that explains tables: what it says, where its links go, and how it looks with a hundred tables."""

import datetime as dt
import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion import clock, lineage, ops
from medallion.check import Check
from medallion.cli import main
from medallion.conf import Conf
from medallion.docs import layout, site
from medallion.docs.facts import Source, Told
from medallion.errors import ConfError
from medallion.lineage import Field, How, Lineage, Made, walk
from medallion.run import Report
from medallion.step import Outcome, Run
from tests.flows.browser import Page
from tests.lib.conftest import Lab
from tests.lib.docs_lab import many
from tests.lib.sensors_lab import CONF, MODULES

VALUE = Made({Field("lab.bronze.readings", ("payload", "value")): frozenset({How("TRANSFORMATION")})})
DAY = Made({Field("lab.silver.readings", ("day",)): frozenset({How("IDENTITY")})})


class Links(HTMLParser):
    """What a page links to, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            self.links += [value or ""] if name in ("href", "src") else []
            self.ids += [value or ""] if name == "id" else []


def broken(pages: dict[str, str]) -> list[str]:
    """Return links that go nowhere, or out of the site."""
    parsed = {name: Links(text) for name, text in pages.items() if name.endswith(".html")}
    found = []
    for name, page in parsed.items():
        for link in page.links:
            target, _, anchor = link.partition("#")
            target = target or name
            known = target in pages and (not anchor or unquote(anchor) in parsed[target].ids)
            found += [] if known else [f"{name}: {link}"]
    return found


@pytest.fixture
def told(readings: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The laboratory with a lineage, without Spark, and a run in which one expectation was missed."""
    known = {
        "lab.bronze.readings": Lineage("lab.bronze.readings"),
        "lab.silver.readings": Lineage("lab.silver.readings", {"value": VALUE}),
        "lab.gold.daily": Lineage("lab.gold.daily", {"day": DAY, "readings": Made({})}, DAY.sources),
        "lab.gold.trend": Lineage("lab.gold.trend", problem="ValueError: it divides by nothing"),
    }
    monkeypatch.setattr(lineage, "of_all", lambda runs: [known for _ in runs])
    checks = [Check("not_null(value)", "quarantine", 1, 3, passed=False, example="s3cret")]
    done = Outcome("lab.silver.readings", "done", "full", "first load", 0, {"read": 3}, checks)
    ops.record(readings.prepare(), Report("lab", "r1", "dev", "2026-01-31T06:00:00+00:00", [done], 2.5))
    return readings


def test_pages_say_what_a_column_is_where_it_comes_from_and_whether_to_trust_it(told: Lab) -> None:
    found = site.build([told.conf()], told.folder / "site")

    pages = {path.name: path.read_text() for path in (told.folder / "site").iterdir()}
    assert (found.tables, found.unknown) == (4, {"lab.gold.trend": "ValueError: it divides by nothing"})
    silver = " ".join(re.sub(r"<[^>]*>", "", pages["lab.silver.readings.html"]).split())
    for words in (
        "one row per reading, as last sent.",
        "Values are in degrees.",
        "version 2 did not pass its expectations; readers see version 0",
        "rows were set aside, and are not in it: not_null(value)",
        "missed set aside: 1 of 3 rows",
        "bronze.readings.payload.value computed",
        "affected_keys",
    ):
        assert words in silver
    assert "s3cret" not in "".join(pages.values())  # an example may be anybody's name
    daily = " ".join(re.sub(r"<[^>]*>", "", pages["lab.gold.daily.html"]).split())
    assert "no run has made it yet" in daily
    assert "from bronze" not in daily.partition("Columns")[0]
    assert broken(pages) == []


def test_lineage_is_told_in_a_terminal_too(told: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lineage", "lab.silver.readings", "value"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[:2] == [
        "lab.silver.readings.value  degrees",
        "└── lab.bronze.readings.payload.value  computed",
    ]

    assert main(["lineage", "lab.gold.daily", "--json"]) == 0
    daily = json.loads(capsys.readouterr().out)
    assert [(one["name"], [source["text"] for source in one["sources"]]) for one in daily["columns"]] == [
        ("day", ["day"]),
        ("readings", []),
    ]
    assert main(["lineage", "lab.bronze.readings"]) == 0
    assert "used in lab.silver.readings: value" in capsys.readouterr().out
    for arguments in (["lab.gold.daily", "dya"], ["lab.gold.trend"]):
        assert main(["lineage", *arguments]) == 2
    refused = capsys.readouterr().err
    assert "no column dya; wanted one of day, readings" in refused
    assert "its column lineage is not known: ValueError: it divides by nothing" in refused


def test_a_table_that_is_made_of_one_not_to_be_trusted_says_so(told: Lab) -> None:
    from medallion.docs.trust import Seen, Trust, judge
    from medallion.views.status import Standing

    good = Seen(Standing("lab.gold.daily", 1, 1, 1, 5), None, [])
    due = Seen(good.standing, None, [], dt.datetime(2026, 1, 31, 5, tzinfo=dt.UTC))

    assert judge(good, {}).level == "ok"
    assert judge(good, {"lab.silver.readings": Trust("bad", [])}) == Trust(
        "warn", ["made of lab.silver.readings, which is not to be trusted now"]
    )
    assert judge(due, {}).reasons == ["a run was due at 2026-01-31 05:00 UTC, and none has begun since"]


def test_a_table_that_is_damaged_does_not_keep_the_others_from_being_told(told: Lab) -> None:
    log = told.folder / "data/silver/lab/readings/_delta_log"
    (log / f"{1:020}.json").write_text("{")

    site.build([told.conf()], told.folder / "site")

    silver = (told.folder / "site" / "lab.silver.readings.html").read_text()
    assert "it cannot be read: <code>medallion audit lab --fast</code> says why" in silver
    assert "trusted" in (told.folder / "site" / "lab.bronze.readings.html").read_text()


def test_the_folder_is_kept_in_line_and_nobody_elses_files_are_touched(told: Lab) -> None:
    mine = told.folder / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfError, match="wanted another folder, or an empty one"):
        site.build([told.conf()], mine)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]

    folder = told.folder / "site"
    site.build([told.conf()], folder)
    mark = folder / site.MARK
    mark.write_text(json.dumps([*json.loads(mark.read_text()), "lab.gold.gone.html", "../kept.html"]))
    for path in (folder / "lab.gold.gone.html", told.folder / "kept.html"):
        path.write_text("of a table that is no more")
    site.build([told.conf()], folder)

    assert not (folder / "lab.gold.gone.html").exists()
    assert (told.folder / "kept.html").exists()


@settings(max_examples=40, deadline=None)
@given(reads=st.lists(st.sets(st.integers(0, 39), max_size=4), min_size=1, max_size=40))
def test_boxes_never_overlap_and_edges_go_from_left_to_right(reads: list[set[int]]) -> None:
    graph = {f"t{n}": [f"t{up}" for up in ups if up < n] for n, ups in enumerate(reads)}

    drawn = layout.picture(graph)

    at = {box.name: (box.x, box.y) for box in drawn.boxes}
    assert set(at) == set(graph)
    assert len({*at.values()}) == len(at)
    columns: dict[float, list[float]] = {}
    for x, y in at.values():
        assert 0 <= x <= drawn.width - layout.WIDTH and 0 <= y <= drawn.height - layout.HEIGHT
        columns.setdefault(x, []).append(y)
    for places in map(sorted, columns.values()):
        assert all(below - above >= layout.HEIGHT for above, below in pairwise(places))
    assert sorted((edge.source, edge.target) for edge in drawn.edges) == sorted(
        (up, name) for name, ups in graph.items() for up in ups
    )
    assert all(at[edge.source][0] < at[edge.target][0] for edge in drawn.edges)


def test_ways_that_part_and_meet_again_are_told_once() -> None:
    """A tree of all ways back through forty tables, each of two columns that are made of both before, has no end."""
    lineages = {}
    for at in range(1, 40):
        both = {Field(f"p.gold.t{at - 1}", (column,)): frozenset({How("TRANSFORMATION")}) for column in "ab"}
        lineages[f"p.gold.t{at}"] = Lineage(f"p.gold.t{at}", {"a": Made(both), "b": Made(both)})
    told = Told(SimpleNamespace(tables={}), lineages)  # type: ignore[arg-type]

    tree = told._source(Field("p.gold.t39", ("a",)), [How("IDENTITY")], set())

    assert _depth(tree) == 40
    assert walk.origins(lineages, Field("p.gold.t39", ("a",))) == [Field("p.gold.t0", (one,)) for one in "ab"]


def _depth(source: Source) -> int:
    return 1 + max((_depth(one) for one in source.sources), default=0)


def test_all_links_of_a_hundred_tables_go_somewhere_within() -> None:
    assert broken(site.rendered([many(100)])) == []


@pytest.mark.slow
def test_an_analyst_finds_a_column_among_a_hundred_tables(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(clock.NOW, "2026-01-31T06:30:00+00:00")
    pages = site.rendered([many(100)])
    for name, text in pages.items():
        (tmp_path / name).write_text(text)

    page.open(f"file://{tmp_path}/index.html")
    page.wait_for("As many tables as a company has", "These pages were built")
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    assert page.evaluate("document.querySelectorAll('.box').length") == 100
    _shot(page, tmp_path, "docs_100_tables")
    page.evaluate(
        "(() => { const s = document.getElementById('search'); s.focus(); s.value = 'table_77 column_3';"
        " s.dispatchEvent(new Event('input')); })()"
    )
    page.wait_for("big.gold.table_77")
    page.evaluate("document.querySelector('#found .chosen a').click()")
    page.wait_for("Trust it today?", "its last run ended well", "column_3")
    assert page.evaluate("location.hash") == "#column-column_3"
    assert page.evaluate("!!document.querySelector('tr:target')")
    assert page.evaluate(fits)
    _shot(page, tmp_path, "docs_table")
    page.evaluate("document.querySelector('.box:not(.here)').dispatchEvent(new Event('mouseenter'))")
    assert page.evaluate("document.querySelector('.graph').classList.contains('lit')")
    page.evaluate("document.querySelector('.box:not(.here)').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    page.wait_until("!location.pathname.includes('table_77')")


def _shot(page: Page, folder: Path, name: str) -> None:
    shot = Path(os.environ.get("MEDALLION_SHOTS", folder), f"{name}.png")
    page.shot(shot)
    assert shot.stat().st_size > 10_000


@pytest.mark.slow
def test_lineage_is_asked_of_spark_once_a_definition(
    project: Callable[..., Conf], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own, whatever Spark this one has; what is known then needs none."""
    from medallion import run as runs

    prepared: Run = runs.prepare(project("sensors", MODULES, CONF))

    found = lineage.of(prepared)

    assert found["sensors.gold.keepers"].columns["keeper"].place == Field("sensors.silver.readings", ("keeper",))
    assert lineage.personal(prepared.conf, prepared.tables)["sensors.bronze.readings"] == {
        "payload.by.name": "sensors.silver.readings.keeper"
    }
    monkeypatch.setattr(lineage, "_asked", lambda _: pytest.fail("asked again"))
    assert lineage.of(prepared) == found
    changed = {**MODULES, "gold/keepers.py": MODULES["gold/keepers.py"].replace('"max"', '"min"')}
    again = runs.prepare(project("sensors", changed, CONF, at="changed"))
    assert set(lineage.known(again)) == {"sensors.bronze.readings", "sensors.silver.readings"}
