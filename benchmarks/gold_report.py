"""What the gold benchmark found: a table, and a chart of ratios to a full refresh, in docs/performance.md."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from xml.sax.saxutils import escape

from benchmarks import page

SUBJECTS = {
    "mart": ("order_lines",),
    "mart and aggregate": ("order_lines", "revenue"),
    "aggregate over one table": ("product_sales",),
}
_AIMS = {0.001: 0.05, 0.01: 0.10}  # of mart and aggregate together, at
_AIMED_AT = 100_000_000  # lines
_FIXED = 10_000
_WIDTH, _LEFT, _BAR, _MOST = 720, 250, 14, 1.6
_COLOURS = {"recent": "#2f6fb4", "spread": "#8c8c8c"}


@dataclass(frozen=True)
class Figure:
    """One subject after one change, at one size: seconds, and what a full refresh took, medians."""

    lines: int
    rows: int
    where: str
    subject: str
    seconds: float
    full: float

    @property
    def ratio(self) -> float:
        """By what changed, of in full."""
        return self.seconds / self.full


def figures(sizes: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Return all figures, small sizes and changes first."""
    found = []
    for size in sorted(sizes, key=lambda one: one["lines"]):
        refreshed = [(run["rows"], run["where"]) for run in size["runs"] if run["way"] == "incremental"]
        # of a call that was interrupted the last change may lack some tables
        changes = sorted({one for one in refreshed if refreshed.count(one) % len({*chain(*SUBJECTS.values())}) == 0})
        for rows, where in changes:
            for subject, tables in SUBJECTS.items():
                seconds = _seconds(size, tables, "incremental", rows, where)
                found.append(Figure(size["lines"], rows, where, subject, seconds, _seconds(size, tables, "full")))
    return found


def _seconds(size: Mapping[str, Any], tables: Sequence[str], way: str, rows: int = 0, where: str = "") -> float:
    """Return the median over repetitions of what the tables took together; in full of those after a first load."""
    runs = [run for run in size["runs"] if run["way"] == way and run["table"].split(".")[2] in tables]
    if way == "incremental":
        runs = [run for run in runs if (run["rows"], run["where"]) == (rows, where)]
    else:
        runs = [run for run in runs if run["where"] == "all"] or runs
    return statistics.median(
        sum(run["seconds"] for run in runs if run["repeat"] == repeat) for repeat in {run["repeat"] for run in runs}
    )


def table(sizes: Sequence[Mapping[str, Any]]) -> str:
    """Return all figures as a table in Markdown."""
    head = "| lines | changed | where | " + " | ".join(f"{one}, s (ratio)" for one in SUBJECTS) + " | aim |"
    lines = [head, "| --: | --: | --- | " + "--: | " * len(SUBJECTS) + "--: |"]
    found = figures(sizes)
    for key in dict.fromkeys((one.lines, one.rows, one.where) for one in found):
        cells = [one for one in found if (one.lines, one.rows, one.where) == key]
        told = " | ".join(f"{one.seconds:.1f} ({one.ratio:.2f})" for one in cells)
        aim = _AIMS.get(round(key[1] / key[0], 6)) if key[0] == _AIMED_AT else None
        lines.append(f"| {key[0]:,} | {key[1]:,} | {key[2]} | {told} | {f'{aim:.2f}' if aim else ''} |")
    for size in sorted(sizes, key=lambda one: one["lines"]):
        in_full = " | ".join(f"{_seconds(size, tables, 'full'):.1f}" for tables in SUBJECTS.values())
        lines.append(f"| {size['lines']:,} | all | in full | {in_full} | |")
    return "\n".join(lines)


def write(sizes: Sequence[Mapping[str, Any]]) -> None:
    """Put the figures between their markers in docs/performance.md, and the chart beside it."""
    (page.DOCS / "gold.svg").write_text(chart(sizes))
    page.put("bench-gold", _markdown(sizes))


def _markdown(sizes: Sequence[Mapping[str, Any]]) -> str:
    runs = ", ".join(f"{one['lines']:,} lines: {one['repeats']}" for one in sorted(sizes, key=lambda one: one["lines"]))
    measured = sorted((one for one in sizes if "peak_bytes" in one), key=lambda one: one["lines"])
    peaks = ", ".join(f"{one['peak_bytes'] / 1e9:.1f} GB at {one['lines']:,}" for one in measured)
    fixed = [one for one in figures(sizes) if one.rows == _FIXED and one.subject == "mart and aggregate"]
    recent = [one for one in fixed if one.where == "recent"]
    grown = f"{recent[-1].seconds / recent[0].seconds:.2f} times" if len(recent) > 1 else "untried"
    return "\n".join(
        [
            f"{sizes[0]['cores']} cores; medians of so many repetitions in one process a size ({runs}). Most memory "
            f"that was resident at once: {peaks}.",
            "",
            "![Refreshes by what changed, of one in full](gold.svg)",
            "",
            table(sizes),
            "",
            f"A change of {_FIXED:,} recent lines takes mart and aggregate {grown} as long at the largest size as at "
            "the smallest; the aim is 1.3.",
        ]
    )


def chart(sizes: Sequence[Mapping[str, Any]]) -> str:
    """Return bars of the ratio to a full refresh, of mart and aggregate together, in SVG."""
    parts: list[str] = []
    y, size = 10, 0
    scale = (_WIDTH - _LEFT - 60) / _MOST
    for one in figures(sizes):
        if one.subject != "mart and aggregate":
            continue
        if one.lines != size:
            size = one.lines
            y += 22
            parts.append(_text(0, y, f"{size:,} lines, in full {one.full:.0f} s", weight="bold"))
            y += 8
        width = max(1.0, min(one.ratio, _MOST) * scale)
        parts.append(_text(16, y + 11, f"{one.rows:,} lines, {one.where}"))
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{_COLOURS[one.where]}"/>')
        parts.append(_text(_LEFT + width + 6, y + 11, f"{one.ratio:.2f}"))
        y += _BAR + 4
    x = _LEFT + scale
    parts.append(f'<line x1="{x:.1f}" y1="20" x2="{x:.1f}" y2="{y}" stroke="#222222" stroke-dasharray="3 3"/>')
    parts.append(_text(x - 20, 14, "in full"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 6}" width="{_WIDTH}" height="{y + 6}" '
            'font-family="sans-serif" font-size="13" role="img">',
            "<title>Refreshes of mart and aggregate by what changed, of one in full</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _text(x: float, y: float, text: str, *, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#222222" font-weight="{weight}">{escape(text)}</text>'
