"""The dashboard: one file without scripts or addresses, whatever stands in errors, labels and reasons."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chromium import provide_chromium
from prometheus_client.parser import text_string_to_metric_families
from setup_steps import SetupError

from medallion import cli, dashboard, health, ops
from medallion.alerts import told
from medallion.check import Check
from medallion.dashboard import facts
from medallion.dashboard.charts import Point, bars, line
from medallion.health import prometheus
from medallion.output import printable
from medallion.run import Report
from medallion.step import Outcome
from tests.flows.browser import browser
from tests.lib.conftest import Lab
from tests.security.corpus import PAGE, STRINGS, utf8
from tests.security.test_injection_pages import Seen

SILVER_NAME = "lab.silver.readings"
HOSTILE = (*STRINGS[::40], *PAGE[-2:])
ALLOWED = set(
    "html head meta title style body h1 h2 h3 nav a section div span p ul li b code figure figcaption svg rect "
    "polyline details summary table tr th td".split()
)


def _record(lab: Lab, number: int, *outcomes: Outcome) -> None:
    at = datetime.now(UTC) - timedelta(days=20) + timedelta(hours=number)
    prepared = replace(lab.prepare(), run_id=f"run-{number:04}")
    ops.record(prepared, Report("lab", prepared.run_id, "dev", at.isoformat(), list(outcomes), seconds=number + 1.0))


@pytest.fixture
def hostile(readings: Lab) -> Lab:
    """The lab after runs whose errors, reasons and labels are hostile strings."""
    for number, text in enumerate(HOSTILE):
        check = Check(text, "warn", 1, 2, False, text)
        failed = Outcome(SILVER_NAME, "failed", text, text, error=text, checks=[check], score=50.0)
        _record(readings, number, Outcome("lab.bronze.readings", "done", rows={"stored": number}), failed)
    return readings


def test_hostile_strings_are_text_in_the_page(hostile: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    found = health.of(hostile.conf())
    found.troubles += [health.Trouble("red", text, text, text, examples=[text]) for text in STRINGS if utf8(text)]
    monkeypatch.setattr(health, "of", lambda _: found)
    page = dashboard.page([hostile.conf()], 30)
    seen = Seen(page)

    assert {tag for tag, _ in seen.tags if tag not in ALLOWED} == set()
    assert [(tag, name) for tag, found in seen.tags for name in found if name.startswith("on") or name == "style"] == []
    assert [found["href"] for tag, found in seen.tags if tag == "a"] == ["#lab"]
    assert not re.search(r"https?://|@import|url\(", page.partition("</style>")[0])
    shown = "".join(seen.texts)
    assert [text for text in STRINGS if text.isprintable() and printable(text) not in shown] == []


def test_a_page_tells_runs_tables_and_troubles(
    readings: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        rows = {"read": 10, "written": 10 - number, "quarantined": number}
        _record(readings, number, Outcome(SILVER_NAME, "done", rows=rows, score=100.0 - number, seconds=2.5))
    told.note(readings.conf(), "began", ["oncall"], [health.Trouble("red", SILVER_NAME, "<b>broken</b>", "mend it")])
    file = tmp_path / "page.html"

    assert cli.main(["dashboard", "lab", "--to", str(file), "--json"]) == 0
    text = " ".join("".join(Seen(file.read_text()).texts).split())

    assert json.loads(capsys.readouterr().out) == {"page": str(file)}
    assert "Runs: 5 of 5 runs passed" in text
    assert "silver.readingsdone" in text and "96.0" in text
    assert "next: medallion run lab" in text
    assert "<b>broken</b>" in text and "oncall" in text
    charts = re.findall(r"<svg.*?</svg>", file.read_text(), re.DOTALL)
    assert all(ET.fromstring(chart).tag == "svg" for chart in charts) and len(charts) >= 5


def test_bars_stay_within_their_chart() -> None:
    chart = bars([Point(4, "a"), Point(None, "b"), Point(0, "c", "bad")], (90, 50), [(1, 8), None, None])

    assert [(bar.x, bar.y, bar.height) for bar in chart.bars] == [(0, 25, 25), (30, 50, 0), (60, 48, 2)]
    assert (chart.top, chart.bands[0].y, chart.bands[0].height) == (8, 0, 43.8)
    assert line([Point(1, ""), Point(None, ""), Point(3, "")], (90, 30)).line == "0.0,20.0 90.0,1"


def test_metrics_are_read_back_with_their_labels(hostile: Lab) -> None:
    found = health.of(hostile.conf())
    named = replace(found.scores[0], table='a"b\\c\nd')
    found.scores = [named]

    families = {one.name: one.samples for one in text_string_to_metric_families(prometheus.text([found]))}

    assert families["medallion_standing"][0].value == 2
    assert families["medallion_quality_score"][0].labels["table"] == 'a"b\\c\nd'
    failures = [
        s.value
        for s in families["medallion_troubles"]
        if (s.labels["kind"], s.labels["standing"]) == ("failure", "red")
    ]
    assert failures == [len([one for one in found.troubles if (one.kind, one.standing) == ("failure", "red")])]


@pytest.mark.slow
def test_a_hundred_tables_fit_a_browser_without_a_network(
    readings: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        chromium = provide_chromium()
    except SetupError as error:
        pytest.skip(str(error))
    _record(readings, 1, Outcome(SILVER_NAME, "failed", error="the table that failed"))
    real = facts.of
    shown = replace(real(readings.conf(), 30), lines=list(real(readings.conf(), 30).lines) * 25)
    monkeypatch.setattr(facts, "of", lambda *_: shown)
    (tmp_path / "page.html").write_text(dashboard.page([readings.conf()], 30))

    with browser(chromium, tmp_path / "browser") as page:
        page.open(f"file://{tmp_path / 'page.html'}")
        text = page.wait_for("100 tables", "the table that failed", "next: medallion run lab")
        fetched = page.evaluate("performance.getEntriesByType('resource').length")
        wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

    assert text.index("the table that failed") < text.index("100 tables")
    assert (fetched, wide) == (0, False)
