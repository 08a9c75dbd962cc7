"""Small charts as geometry, in pixels from the upper left; the page draws them as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass, field

_GAP = 0.2  # of a bar's place, between it and the next


@dataclass(frozen=True)
class Point:
    """One value: what it is, how it is drawn (a class of the page), and what is told when one points at it."""

    value: float | None
    told: str
    look: str = ""


@dataclass(frozen=True)
class Bar:
    """A rectangle of a chart, and what is told of it."""

    x: float
    y: float
    width: float
    height: float
    told: str
    look: str


@dataclass(frozen=True)
class Chart:
    """Bars, a line through points, or bands; ``top`` is the value at the upper edge, ``ends`` name first and last."""

    width: int
    height: int
    top: float
    bars: Sequence[Bar] = ()
    line: str = ""
    bands: Sequence[Bar] = ()
    ends: Sequence[str] = field(default=("", ""))


def bars(
    points: Sequence[Point],
    size: tuple[int, int],
    bands: Sequence[tuple[float, float] | None] = (),
    most: float | None = None,
) -> Chart:
    """Return a bar a point; a band behind it from one value to another, where there is one for its place.

    What is above ``most`` is cut off there.
    """
    width, height = size
    tops = [point.value or 0.0 for point in points] + [band[1] for band in bands if band]
    top = min(max(tops, default=0.0) or 1.0, most or float("inf"))
    place = width / max(len(points), 1)
    drawn = [
        Bar(_px(n * place), _px(height - tall), _px(place * (1 - _GAP)), _px(tall), point.told, point.look)
        for n, point in enumerate(points)
        for tall in [min(max(height * (point.value or 0.0) / top, 2.0 if point.look else 0.0), height)]
    ]
    behind = [
        Bar(
            _px(n * place),
            _px(height * (1 - min(band[1] / top, 1))),
            _px(place),
            _px(height * (band[1] - band[0]) / top),
            "",
            "",
        )
        for n, band in enumerate(bands)
        if band
    ]
    return Chart(width, height, top, drawn, bands=behind)


def line(points: Sequence[Point], size: tuple[int, int], span: tuple[float, float] | None = None) -> Chart:
    """Return a line through the values there are, within a span, or from nothing to the greatest."""
    width, height = size
    values = [point.value for point in points if point.value is not None]
    low, high = span or (0.0, max(values, default=0.0) or 1.0)
    step = width / max(len(values) - 1, 1)
    placed = [(n * step, height * (1 - (value - low) / ((high - low) or 1.0))) for n, value in enumerate(values)]
    drawn = " ".join(f"{_px(x)},{_px(min(max(y, 1), height - 1))}" for x, y in placed)
    return Chart(width, height, high, line=drawn if len(values) > 1 else "")


def _px(value: float) -> float:
    return round(value, 1)
