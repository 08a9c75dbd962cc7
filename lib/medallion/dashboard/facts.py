"""What the dashboard shows of a pipeline, gathered from the records of runs, from health and from quarantines."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medallion import clock, health, ops, reasons, volume
from medallion import run as runs_door
from medallion.conf import Conf
from medallion.dashboard.charts import Chart, Point, bars, line
from medallion.errors import HistoryError
from medallion.health import Pipeline
from medallion.output import counted, lasting
from medallion.step import Run
from medallion.tables import Bronze

RUNS = 60  # bars
STEPS = 40  # points of a line
REASONS = 12
ALERTS = 15
_DAYS = 35  # of volumes
_WIDE, _NARROW, _BAR, _TALL = 560, 300, 40, 110  # of the runs: few bars are no wider for being few
_SMALL = (96, 20)
_CAME = ("stored", "written")
_LOOKS = {"failed": "bad", "blocked": "warn"}


@dataclass(frozen=True)
class Line:
    """One table: how its newest step ended, and how steps, rows, scores and quarantined rows went."""

    table: str
    layer: str
    status: str
    look: str
    changed: str
    seconds: float | None
    rows: int | None
    score: float | None
    quarantined: int | None
    durations: Chart
    volumes: Chart
    qualities: Chart
    rejected: Chart
    fresh: str = ""
    fresh_look: str = ""


@dataclass(frozen=True)
class Reason:
    """Why rows are in quarantine, how many, and the share of the most frequent reason's rows, in per cent."""

    table: str
    rule: str
    rows: int
    share: float


@dataclass(frozen=True)
class Source:
    """What a source delivered by day."""

    table: str
    chart: Chart
    said: str
    look: str


@dataclass(frozen=True)
class Shown:
    """A pipeline."""

    health: Pipeline
    runs: Chart
    passed: str
    lines: Sequence[Line]
    sources: Sequence[Source]
    reasons: Sequence[Reason]
    alerts: Sequence[Mapping[str, Any]]


def of(conf: Conf, days: int) -> Shown:
    """Return what is shown of a pipeline's last days."""
    prepared = runs_door.prepare(conf)
    found = health.of(conf)
    steps = ops.read(conf, "runs", days)
    chart, passed = _runs(steps)
    alerts = ops.read(conf, "alerts", days)
    return Shown(
        found,
        chart,
        passed,
        sorted(_lines(prepared, found, steps), key=lambda one: not (one.look or one.fresh_look)),  # troubles first
        list(_sources(prepared, found)),
        _reasons(prepared),
        [{**one, "at": _moment(one["started_at"])} for one in reversed(alerts[-ALERTS:])],
    )


def _runs(steps: Sequence[Mapping[str, Any]]) -> tuple[Chart, str]:
    """Return how long runs took, and how many passed."""
    by_run: dict[str, list[Mapping[str, Any]]] = {}
    for step in steps:
        by_run.setdefault(step["run_id"], []).append(step)
    runs = sorted(by_run.values(), key=lambda one: one[0]["started_at"])
    failed = [any(step["status"] in _LOOKS for step in one) for one in runs]
    points = [
        Point(one[0]["run_seconds"], f"{_moment(one[0]['started_at'])}: {_ended(one)}", "bad" if bad else "ok")
        for one, bad in zip(runs, failed, strict=True)
    ][-RUNS:]
    chart = bars(points, (min(_WIDE, max(_NARROW, _BAR * len(points))), _TALL))
    told = f"{len(runs) - sum(failed)} of {counted(len(runs), 'runs')} passed"
    if runs:
        first, last = runs[-RUNS:][0][0], runs[-1][0]
        ends = (_moment(first["started_at"]), _moment(last["started_at"]))
        chart = Chart(chart.width, chart.height, chart.top, chart.bars, ends=ends)
    return chart, told


def _ended(run: Sequence[Mapping[str, Any]]) -> str:
    seconds = f"{run[0]['run_seconds']:.1f} s"
    failed = [step["table"] for step in run if step["status"] == "failed"]
    return f"{seconds}, {', '.join(failed)} failed" if failed else f"{seconds}, passed"


def _lines(prepared: Run, found: Pipeline, steps: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    by_table: dict[str, list[Mapping[str, Any]]] = {}
    for step in steps:
        by_table.setdefault(step["table"], []).append(step)
    fresh = {one.table: one for one in found.judged if one.rule == "freshness"}
    for name in prepared.tables:
        mine = by_table.get(name, [])
        done = [step for step in mine if step["status"] == "done"][-STEPS:]
        rows = [json.loads(step["rows"] or "{}") for step in done]
        came = [next((one[term] for term in _CAME if term in one), None) for one in rows]
        held = [one.get("quarantined") for one in rows]
        scores = [step["score"] for step in done]
        last = mine[-1] if mine else None
        judged = fresh.get(name)
        yield Line(
            name,
            name.split(".")[1],
            last["status"] if last else "never run",
            _LOOKS.get(last["status"], "") if last else "",
            _moment(done[-1]["started_at"]) if done else "",
            done[-1]["seconds"] if done else None,
            came[-1] if came else None,
            scores[-1] if scores else None,
            held[-1] if held else None,
            _line([step["seconds"] for step in done]),
            _line(came),
            _line(scores, (min([s for s in scores if s is not None], default=0.0) - 1, 100.0)),
            _line(held),
            judged.check.said or "" if judged else "",
            "" if judged is None or judged.check.passed else "bad",
        )


def _line(values: Sequence[float | None], span: tuple[float, float] | None = None) -> Chart:
    return line([Point(value, "") for value in values], _SMALL, span)


def _sources(prepared: Run, found: Pipeline) -> Iterator[Source]:
    """Yield what came of each source by day, and behind it what is usual, where that is expected."""
    today = clock.run_date()
    said = {one.table: one.check for one in found.judged if one.rule == "volume"}
    for name, table in prepared.tables.items():
        if not isinstance(table, Bronze) or not prepared.lake.exists(name):
            continue
        try:
            days = volume.days_of(prepared.lake.history(name, volume.COMMITS))
        except HistoryError:
            continue  # health tells of it
        rule = next((one for one in prepared.conf.expectations(name) if one.rule == "volume"), None)
        shown = [today - dt.timedelta(days=n) for n in range(_DAYS - 1, -1, -1)]
        bounds = [volume.bounds_of(rule, days, day) if rule else None for day in shown]
        per = (rule.per if rule else None) or "day"
        values = [days.get(day, volume.Day()).volume(per) for day in shown]
        beyond = [b is not None and not b.low <= v <= b.high for b, v in zip(bounds, values, strict=True)]
        points = [
            Point(value, f"{day:%a} {day}: {value:,.0f} rows", "bad" if bad and day != today else "ok" if value else "")
            for day, value, bad in zip(shown, values, beyond, strict=True)
        ]
        usual = [value for day, value in zip(shown, values, strict=True) if value and day != min(days)]
        most = 2 * max(usual) if usual else None  # the first day may bring a history
        chart = bars(points, (_NARROW, 60), [(b.low, b.high) if b else None for b in bounds], most)
        chart = Chart(chart.width, chart.height, chart.top, chart.bars, "", chart.bands, (str(shown[0]), str(today)))
        check = said.get(name)
        yield Source(name, chart, (check.said or "") if check else "", "" if check is None or check.passed else "bad")


def _reasons(prepared: Run) -> list[Reason]:
    """Return why rows are in quarantine now, the most frequent first; what was found in them is not shown."""
    found = Counter[tuple[str, str]]()
    for one in reasons.quarantine_reasons(prepared):
        found[one.table, one.rule] += one.rows
    shown = found.most_common(REASONS)
    return [Reason(table, rule, rows, round(100 * rows / shown[0][1], 1)) for (table, rule), rows in shown]


def _moment(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def ago(at: str | None) -> str:
    """Return how long ago something was."""
    if at is None:
        return "never"
    return f"{lasting((clock.now() - dt.datetime.fromisoformat(at)).total_seconds())} ago"
