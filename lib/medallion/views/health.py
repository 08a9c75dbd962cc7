"""How a pipeline fares: what waits, when a run last passed, how much history is left for whoever follows a table."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from medallion import cache, clock, ops
from medallion import run as runs
from medallion.audit import margins, pins
from medallion.audit.margins import Margin
from medallion.cache.search import Reader
from medallion.cache.status import status_of
from medallion.conf import Conf
from medallion.errors import HistoryError, LandingError
from medallion.landing import Landing
from medallion.maintain import runpins
from medallion.output import counted
from medallion.views import status
from medallion.warm.server import lasting

if TYPE_CHECKING:
    from rich.console import Console

_RUNS = 100  # among which one that passed is looked for
_STYLES = {"ok": "green", "warn": "yellow", "red": "bold red"}
_ROW_STYLES = {"ok": "", "half": "yellow", "soon": "bold red", "gone": "bold red"}


@dataclass(frozen=True)
class Trouble:
    """One thing to look at, and what to do about it."""

    standing: Literal["warn", "red"]
    subject: str
    what: str
    next: str


@dataclass(frozen=True)
class Backlog:
    """What landed and no run has taken in yet; ``since`` is when the oldest of it did."""

    source: str
    deliveries: int
    since: str


@dataclass
class Pipeline:
    """One pipeline; ``last_run`` and ``last_passed`` are when those began, None where there was none."""

    pipeline: str
    environment: str
    last_run: str | None = None
    last_passed: str | None = None
    backlog: list[Backlog] = field(default_factory=list)
    quarantined: int = 0
    waiting: int = 0
    margins: list[Margin] = field(default_factory=list)
    pinned: dict[str, str] = field(default_factory=dict)  # runs that are kept whole, and until when
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def standing(self) -> str:
        """The worst of what there is: red, warn or ok."""
        found = {trouble.standing for trouble in self.troubles}
        return "red" if "red" in found else "warn" if found else "ok"


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
        found = [asdict(one) | {"standing": one.standing, "margins": _facts(one.margins)} for one in self.pipelines]
        return {"passed": self.passed, "pipelines": found}

    def render(self, console: "Console") -> None:
        """Print a pipeline after the other."""
        for number, one in enumerate(self.pipelines):
            console.print("\n" if number else "", end="")
            _render(one, console)


def of(confs: Iterable[Conf]) -> Health:
    """Return how pipelines fare; reads logs, manifests and records of runs, without Spark."""
    return Health([_pipeline(conf) for conf in confs])


def _pipeline(conf: Conf) -> Pipeline:
    found = Pipeline(conf.name, conf.environment)
    done = ops.last_runs(conf, _RUNS)
    found.last_run = _began(done[0] if done else None)
    found.last_passed = _began(next((run for run in done if run["passed"]), None))
    found.troubles = [*_runs(conf, done), *_caches(conf)]
    try:
        _look(conf, found)
    except (HistoryError, LandingError) as error:  # a table or a delivery that cannot be read is what this is for
        found.troubles.insert(0, Trouble("red", conf.name, str(error), f"medallion audit {conf.name} --fast"))
    return found


def _look(conf: Conf, found: Pipeline) -> None:
    """Look at tables and deliveries; raises HistoryError or LandingError where one cannot be read."""
    stands = status.of([conf]).pipelines[0]
    found.quarantined = sum(table.quarantined for table in stands.tables)
    found.waiting = sum(table.waiting for table in stands.tables)
    found.backlog = list(_backlog(conf, stands))
    pinned = pins.pin(runs.prepare(conf))
    found.margins = list(margins.margins(pinned))
    found.pinned = {one.run_id: one.until.isoformat() for one in runpins.of(pinned)}
    found.troubles += [*_stuck(stands), *_ahead(stands), *_margins(conf, found.margins)]


def _began(run: dict[str, Any] | None) -> str | None:
    return run["started_at"].isoformat(timespec="seconds") if run else None


def _backlog(conf: Conf, stands: status.Pipeline) -> Iterator[Backlog]:
    for source in stands.sources:
        if source.pending > 0:
            landing = Landing(conf, source.source)
            oldest = landing.manifest(source.deliveries - source.pending + 1)
            yield Backlog(source.source, source.pending, oldest.received_at)


def _ahead(stands: status.Pipeline) -> Iterator[Trouble]:
    for source in stands.sources:
        if source.pending < 0:
            what = f"bronze has taken in {-source.pending} deliveries more than landing holds"
            yield Trouble("red", source.source, what, "bring landing back from a backup")


def _stuck(stands: status.Pipeline) -> Iterator[Trouble]:
    for table in stands.tables:
        if table.good != table.data:
            what = status.stuck(table).partition(": ")[2]
            yield Trouble("red", table.table, what, f"medallion run {stands.pipeline}: its report says what failed")


def _runs(conf: Conf, done: list[dict[str, Any]]) -> Iterator[Trouble]:
    again = f"medallion run {conf.name}"
    if not done:
        yield Trouble("warn", conf.name, "no run yet", again)
    elif not done[0]["passed"]:
        what = f"the last run failed for {counted(done[0]['failed'], 'tables')}: {done[0]['run_id']}"
        yield Trouble("red", conf.name, what, again)


def _caches(conf: Conf) -> Iterator[Trouble]:
    for name in conf.pipeline.cache.tables if conf.pipeline.cache else ():
        full = f"{conf.name}.{name}"
        place = cache.place_of(conf, full)
        found = status_of(place, Reader(place), (conf.name, name))
        if found.state in ("failed", "killed"):
            yield Trouble("red", f"cache of {full}", str(found.error), f"medallion sync {conf.name}")


def _margins(conf: Conf, left: Iterable[Margin]) -> Iterator[Trouble]:
    for one in left:
        if one.standing == "gone":
            yield Trouble("red", one.consumer, f"history of {one.upstream} is gone", margins.in_full(conf.name))
        elif one.standing != "ok" and one.held:
            what = f"has yet to read {counted(len(one.pending), 'versions')} of {one.upstream}, which maintenance keeps"
            yield Trouble("warn", one.consumer, f"{what} for it", f"medallion run {conf.name}")
        elif one.standing != "ok":
            what = f"of the history of {one.upstream} that it has yet to read {_left(one)} are left"
            yield Trouble("red" if one.standing == "soon" else "warn", one.consumer, what, margins.in_time(conf.name))


def _left(margin: Margin) -> str:
    return f"{margin.left_days:,.0f} of {margin.kept_days:,.0f} days"


def _facts(left: Iterable[Margin]) -> list[dict[str, Any]]:
    return [asdict(one) | {"standing": one.standing} for one in left]


def _render(found: Pipeline, console: "Console") -> None:
    from rich.text import Text

    head = Text(f"{found.pipeline}, environment {found.environment}: ", style="bold")
    console.print(head.append(found.standing, style=_STYLES[found.standing]))
    console.print(f"  last run      {_ago(found.last_run)}")
    if found.last_passed != found.last_run:
        console.print(f"  last passed   {_ago(found.last_passed)}")
    for one in found.backlog:
        told = f"{one.source}: {counted(one.deliveries, 'deliveries')} to take in, the oldest {_ago(one.since)}"
        console.print(f"  backlog       {told}")
    if found.quarantined or found.waiting:
        console.print(
            f"  set aside     {found.quarantined:,} rows in quarantine, {found.waiting:,} waiting for lookups"
        )
    for run_id, until in found.pinned.items():
        console.print(f"  pinned        run {run_id} until {until}")
    for trouble in found.troubles:
        style = _STYLES[trouble.standing]
        console.print(Text(f"\n{trouble.standing}  {trouble.subject}: {trouble.what}", style=style), soft_wrap=True)
        console.print(Text(f"  next: {trouble.next}", style="dim"), soft_wrap=True)
    if found.margins:
        console.print("")
        console.print(_history(found.margins))


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
