"""What the overhead benchmark found: on the terminal, and in docs/performance.md with a chart."""

import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import overhead_chart, page

DAYS = ("first load", "second day")
STARTS = {"cold": "new process", "warm": "same process", "server": "warm server"}
WAYS = {"script": "script", "engine": "engine", "flow": "flow", "server": "engine"}
# (way, day, start) -> what it may cost, against the script's (day, start).
AIMS = {
    ("flow", 0, "cold"): 1.10,
    ("engine", 1, "cold"): 0.6,
    ("engine", 1, "warm"): 0.3,
    ("server", 1, "server"): 0.3,
}


@dataclass(frozen=True)
class Figure:
    """Medians of one way's runs; ``ratio`` of seconds to the script's, None where the script has none."""

    way: str
    day: int
    start: str
    seconds: list[float]
    cpu_seconds: float
    peak_bytes: float
    ratio: float | None

    @property
    def label(self) -> str:
        """What tables and charts call it."""
        return WAYS[self.way]

    @property
    def aim(self) -> float | None:
        """The ratio that it is to stay within, None where there is none."""
        return AIMS.get((self.way, self.day, self.start))


def figures(found: Mapping[str, Any]) -> list[Figure]:
    """Return a figure for each day, start and way that was measured."""
    return [figure for day in (0, 1) for start in STARTS for way in WAYS for figure in _figure(found, way, day, start)]


def differing(found: Mapping[str, Any]) -> list[str]:
    """Say which tables are not what the script made of the same day, and in which run."""
    told = []
    for run in _good(found):
        script = [one for one in _good(found) if one["way"] == "script" and one["day"] == run["day"]]
        theirs = script[0]["content"] if script else run["content"]
        for name, (rows, hashes) in run["content"].items():
            if [rows, hashes] != theirs[name]:
                others = theirs[name][0]
                what = f"{rows:,} rows, the script has {others:,}" if rows != others else "other content"
                told.append(f"{run['way']}, {DAYS[run['day']]}, repetition {run['repeat'] + 1}: {name}: {what}")
    return told


def show(found: Mapping[str, Any]) -> None:
    """Print figures, tables and what went wrong."""
    out = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=f"{found['orders']:,} orders, medians", title_justify="left")
    for column in ("", "start", "way", "seconds", "of the script", "aim", "CPU s", "memory"):
        table.add_column(column, justify="left" if column in ("", "start", "way") else "right")
    for figure in figures(found):
        table.add_row(*_cells(figure))
    out.print(table)
    steps = Table(title="Cold, seconds (Spark jobs / stages) a table", title_justify="left")
    header, *rows = _steps(found)
    for column in header:
        steps.add_column(column)
    for row in rows:
        steps.add_row(*row)
    out.print(steps)
    for line in [*_failures(found), *differing(found)]:
        out.print(line, style="red", soft_wrap=True)


def write(found: Mapping[str, Any], docs: Path) -> None:
    """Put the figures between their markers in docs/performance.md, and the chart beside it."""
    (docs / "overhead.svg").write_text(overhead_chart.svg(figures(found)))
    page.put("bench-overhead", _markdown(found), docs)


def _markdown(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    runs = 1 + max((run["repeat"] for run in found["runs"]), default=0)
    lines = [
        f"{found['orders']:,} orders, {machine['cores']} cores, {machine['bytes'] / 2**30:.0f} GiB; "
        + (f"medians of {runs} runs." if runs > 1 else "one run."),
        "",
        "![Seconds by way](overhead.svg)",
        "",
        *_grid(
            [("", "start", "way", "seconds", "of the script", "aim", "CPU s", "memory"), *map(_cells, figures(found))]
        ),
        "",
        "A table's seconds in a new process, with Spark jobs / stages. Two are worked on side by side; the first "
        "ones wait for Spark to start.",
        "",
        *_grid(list(_steps(found))),
    ]
    wrong = [*_failures(found), *differing(found)]
    return "\n".join(
        [*lines, *(["", "**Not as it should be:**", "", *[f"- {line}" for line in wrong]] if wrong else [])]
    )


def _grid(rows: list[tuple[str, ...]]) -> list[str]:
    header, *others = rows
    rule = ["---" if column in ("", "start", "way", "table") else "--:" for column in header]
    return ["| " + " | ".join(row) + " |" for row in (header, tuple(rule), *others)]


def _cells(figure: Figure) -> tuple[str, ...]:
    seconds = figure.seconds
    spread = f" ({min(seconds):.0f} to {max(seconds):.0f})" if len(seconds) > 1 else ""
    return (
        DAYS[figure.day],
        STARTS[figure.start],
        figure.label,
        f"{statistics.median(seconds):.1f}{spread}",
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        "" if figure.aim is None else f"{figure.aim:.2f}",
        f"{figure.cpu_seconds:.0f}",
        f"{figure.peak_bytes / 2**20:,.0f} MB",
    )


def _steps(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a header, and a row for each table with what it took the engine and the script on either day."""
    columns = [(day, way) for day in (0, 1) for way in ("engine", "script")]
    yield ("table", *[f"{way}, {DAYS[day]}" for day, way in columns])
    by_column = [[m["tables"] for m in _measures(found, way, day, "cold")] for day, way in columns]
    for name in next((list(tables) for runs in by_column for tables in runs), []):
        yield (name, *[_step([tables[name] for tables in runs if name in tables]) for runs in by_column])


def _step(runs: list[Mapping[str, float]]) -> str:
    if not runs:
        return ""
    seconds, jobs, stages = (statistics.median(run[key] for run in runs) for key in ("seconds", "jobs", "stages"))
    return f"{seconds:.1f} ({jobs:.0f} / {stages:.0f})"


def _figure(found: Mapping[str, Any], way: str, day: int, start: str) -> Iterator[Figure]:
    runs = _measures(found, way, day, start)
    if not runs:
        return
    seconds = [run["seconds"] for run in runs]
    # A script has no server: against a warm one stands what it does again in the same process.
    script = [run["seconds"] for run in _measures(found, "script", day, "warm" if start == "server" else start)]
    ratio = statistics.median(seconds) / statistics.median(script) if script else None
    cpu_seconds, peak = (statistics.median(run[key] for run in runs) for key in ("cpu_seconds", "peak_bytes"))
    yield Figure(way, day, start, seconds, cpu_seconds, peak, ratio)


def _measures(found: Mapping[str, Any], way: str, day: int, start: str) -> list[Mapping[str, Any]]:
    return [run[start] for run in _good(found) if run["way"] == way and run["day"] == day and start in run]


def _good(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [run for run in found["runs"] if "error" not in run]


def _failures(found: Mapping[str, Any]) -> list[str]:
    return [
        f"{run['way']}, {DAYS[run['day']]}, repetition {run['repeat'] + 1} failed: {run['error']}"
        for run in found["runs"]
        if "error" in run
    ]
