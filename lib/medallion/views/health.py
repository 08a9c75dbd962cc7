"""How pipelines fare, as text: what waits and is late, how quality goes, what history is left; and the troubles."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion import clock
from medallion.audit.margins import Margin
from medallion.conf import Conf
from medallion.health import Pipeline, Score
from medallion.health import of as of_pipeline
from medallion.output import counted, lasting

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"ok": "green", "warn": "yellow", "red": "bold red"}
_ROW_STYLES = {"ok": "", "half": "yellow", "soon": "bold red", "gone": "bold red"}
_FALLEN = 1.0  # points, from which a score is shown although nothing is wrong with it


@dataclass(frozen=True)
class Health:
    """How pipelines fare."""

    pipelines: list[Pipeline]

    @property
    def passed(self) -> bool:
        """Whether nothing is red."""
        return all(one.standing != "red" for one in self.pipelines)

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"passed": self.passed, "pipelines": [one.facts() for one in self.pipelines]}

    def render(self, console: "Console") -> None:
        """Print a pipeline after the other."""
        for number, one in enumerate(self.pipelines):
            console.print("\n" if number else "", end="")
            _render(one, console)


def of(confs: Iterable[Conf], *, alert: bool = False) -> Health:
    """Return how pipelines fare; with ``alert`` whoever conf names is told what is new of it."""
    if not alert:
        return Health([of_pipeline(conf) for conf in confs])
    from medallion import alerts

    return Health([alerts.tell(conf) or of_pipeline(conf) for conf in confs])


def _render(found: Pipeline, console: "Console") -> None:
    from rich.text import Text

    head = Text(f"{found.pipeline}, environment {found.environment}: ", style="bold")
    console.print(head.append(found.standing, style=_STYLES[found.standing]))
    for heading, told in _lines(found):
        console.print(f"  {heading:13} {told}", soft_wrap=True)
    for trouble in found.troubles:
        style = _STYLES[trouble.standing]
        console.print(Text(f"\n{trouble.standing}  {trouble.subject}: {trouble.what}", style=style), soft_wrap=True)
        if trouble.examples:
            console.print(Text(f"  from: {'; '.join(trouble.examples)}", style="dim"), soft_wrap=True)
        console.print(Text(f"  next: {trouble.next}", style="dim"), soft_wrap=True)
    left = [one for one in found.margins if one.pending or one.standing != "ok"]
    if left:
        console.print("")
        console.print(_history(left))


def _lines(found: Pipeline) -> Iterator[tuple[str, str]]:
    """Yield headings with what is told under them."""
    yield "last run", _ago(found.last_run)
    if found.last_passed != found.last_run:
        yield "last passed", _ago(found.last_passed)
    for waits in found.backlog:
        told = f"{waits.source}: {counted(waits.deliveries, 'deliveries')} to take in, the oldest {_ago(waits.since)}"
        yield "backlog", told
    for one in found.behind:
        consumer, upstream = (_short(name, found.pipeline) for name in (one.consumer, one.upstream))
        told = f"{counted(one.versions, 'versions')} of {upstream} to read, {counted(one.rows, 'rows')}"
        yield "behind", f"{consumer}: {told}, the oldest of {_ago(one.since)}"
    if found.quarantined or found.waiting:
        yield "set aside", f"{found.quarantined:,} rows in quarantine, {found.waiting:,} waiting for lookups"
    for run_id, until in found.pinned.items():
        yield "pinned", f"run {run_id} until {until}"
    for judged in found.judged:
        if judged.check.passed:
            yield judged.rule, f"{_short(judged.table, found.pipeline)}: {judged.check.said}"
    if found.margins and not any(one.pending or one.standing != "ok" for one in found.margins):
        days = [one.kept_days for one in found.margins if one.kept_days is not None]
        kept = f"; history is kept for {min(days):,.0f} days and more" if days else ""
        yield "history", f"all {len(found.margins)} that follow a table have read all of it{kept}"
    quality = [_scored(score, found.pipeline) for score in found.scores if _is_shown(score)]
    if found.scores:
        lowest = min(found.scores, key=lambda score: score.last)
        told = f"of {counted(len(found.scores), 'tables')} the lowest score is {_scored(lowest, found.pipeline)}"
        yield "quality", "; ".join(quality) or told


def _is_shown(score: Score) -> bool:
    return score.before is not None and abs(score.last - score.before) >= _FALLEN


def _scored(score: Score, pipeline: str) -> str:
    before = "" if score.before is None else f" (before {score.before:.1f})"
    return f"{_short(score.table, pipeline)} {score.last:.1f}{before}"


def _history(left: list[Margin]) -> Any:
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("follows", "history of"):
        shown.add_column(heading)
    for heading in ("versions to read", "days left", "of"):
        shown.add_column(heading, justify="right")
    for one in left:
        names = [_short(name, one.upstream.partition(".")[0]) for name in (one.consumer, one.upstream)]
        days = "gone" if one.standing == "gone" else _days(one.left_days)
        shown.add_row(*names, f"{len(one.pending):,}", days, _days(one.kept_days), style=_ROW_STYLES[one.standing])
    return shown


def _short(name: str, pipeline: str) -> str:
    return name.replace(f"{pipeline}.", "", 1)


def _days(days: float | None) -> str:
    return "-" if days is None else f"{days:,.0f}"


def _ago(at: str | None) -> str:
    if at is None:
        return "never"
    seconds = (clock.now() - datetime.fromisoformat(at)).total_seconds()
    return f"{at[:16].replace('T', ' ')} UTC, {lasting(seconds)} ago"
