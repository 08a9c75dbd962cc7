"""The overhead benchmark's chart: seconds of each way as bars, in SVG that reads on a light and a dark page."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from benchmarks.overhead_report import Figure

_WIDTH, _BAR, _GAP, _LEFT, _RIGHT = 720, 16, 14, 190, 80
_COLOURS = {"script": "#8c8c8c", "engine": "#2f6fb4", "flow": "#6fa8dc", "server": "#2f6fb4"}


def svg(figures: "Sequence[Figure]") -> str:
    """Return the chart: a group of bars for each day and start, as long as the longest is wide."""
    from benchmarks.overhead_report import DAYS, STARTS

    longest = max((statistics.median(figure.seconds) for figure in figures), default=1)
    parts: list[str] = []
    y, group = 10, None
    for figure in figures:
        if (figure.day, figure.start) != group:
            y += _GAP if group else 0
            group = (figure.day, figure.start)
            y += 14
            parts.append(_text(0, y, f"{DAYS[figure.day]}, {STARTS[figure.start]}", bold=True))
            y += 8
        seconds = statistics.median(figure.seconds)
        width = max(1.0, (_WIDTH - _LEFT - _RIGHT) * seconds / longest)
        parts.append(_text(16, y + 12, figure.label))
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{_COLOURS[figure.way]}"/>')
        parts.append(_text(_LEFT + width + 6, y + 12, f"{seconds:.0f} s"))
        y += _BAR + 4
    height = y + 6
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" font-family="sans-serif" font-size="13" role="img">',
            "<title>Seconds by way, medians</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _text(x: float, y: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#222222"{weight}>{escape(text)}</text>'
