"""Where a pipeline stands: its tables, what waits in landing and in quarantine, and its last runs."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion import ops, query
from medallion.account import NO_VERSION
from medallion.conf import Conf
from medallion.lake import Commit, Lake, State
from medallion.landing import Landing
from medallion.maintain import runpins
from medallion.output import counted
from medallion.views import names, warm

if TYPE_CHECKING:
    from rich.console import Console

RUNS = 3
NONE_HELD = {"quarantined": 0, "waiting": 0}


@dataclass(frozen=True)
class Standing:
    """One table: its newest version, the last that changed rows, and the good one that readers see.

    ``rows`` are as readers see them, ``quarantined`` and ``waiting`` as they are now.
    """

    table: str
    version: int | None = None
    data: int | None = None
    good: int | None = None
    rows: int | None = None
    at: str | None = None
    technique: str | None = None
    run_id: str | None = None
    quarantined: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class Delivered:
    """One source: deliveries in landing, and how many of them no run has taken in yet."""

    source: str
    deliveries: int
    pending: int


@dataclass(frozen=True)
class Pipeline:
    """A pipeline in one environment."""

    pipeline: str
    environment: str
    tables: list[Standing]
    sources: list[Delivered]
    runs: list[dict[str, Any]]
    pinned: dict[str, str]  # runs that are kept whole, and until when


@dataclass(frozen=True)
class Status:
    """Where pipelines stand, and the warm Spark server they share, if one is up."""

    pipelines: list[Pipeline]
    spark: warm.Up | None = None

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, console: "Console") -> None:
        """Print tables, sources and runs, a pipeline after the other."""
        for number, pipeline in enumerate(self.pipelines):
            console.print("\n" if number else "", end="")
            _render(pipeline, console)
        if self.spark is not None:
            console.print("\nSpark server", style="bold")
            console.print(f"  {self.spark.line()}", soft_wrap=True)


def of(confs: Iterable[Conf]) -> Status:
    """Return where pipelines stand; reads logs, manifests and counts of rows."""
    looked_at = list(confs)
    return Status([_pipeline(conf) for conf in looked_at], warm.found(looked_at[0]) if looked_at else None)


def _pipeline(conf: Conf) -> Pipeline:
    lake = Lake(conf)
    known = names.tables(conf)
    states = {name: lake.state(name) for name in known}
    return Pipeline(
        conf.name,
        conf.environment,
        [standing(lake, name, state) for name, state in states.items()],
        _sources(conf, [state for state in states.values() if state]),
        ops.last_runs(conf, RUNS),
        runpins.told(lake.properties(name) for name, state in states.items() if state),
    )


def standing(lake: Lake, name: str, state: State | None) -> Standing:
    """Return where a table stands, given its state; raises HistoryError where it cannot be read."""
    held = rejected(lake, names.quarantine_of(name)) if name.split(".")[1] == "silver" else NONE_HELD
    if state is None:
        return Standing(name, quarantined=held["quarantined"], waiting=held["waiting"])
    newest = next(lake.history(name, 1))
    account = state.account
    return Standing(
        name,
        state.version,
        state.data,
        None if state.good == NO_VERSION else state.good,
        _rows(state),
        _at(newest),
        account.technique if account else None,
        account.run_id if account else None,
        held["quarantined"],
        held["waiting"],
    )


def _rows(state: State) -> int | None:
    if state.good == NO_VERSION:
        return None
    seen = query.seen(query.columns_at(state.path, state.good))
    return int(query.select(state.path, f"SELECT count(*) AS rows FROM t {seen}", state.good)[0]["rows"])


def rejected(lake: Lake, name: str) -> dict[str, int]:
    """Return how many rows a quarantine holds now, quarantined and waiting."""
    if not lake.exists(name):
        return NONE_HELD
    counts = query.select(lake.path(name), "SELECT outcome, count(*) AS rows FROM t GROUP BY outcome")
    return NONE_HELD | {row["outcome"]: row["rows"] for row in counts}


def _at(commit: Commit) -> str:
    return dt.datetime.fromtimestamp(commit.at_ms / 1000, dt.UTC).isoformat(timespec="seconds")


def _sources(conf: Conf, states: list[State]) -> list[Delivered]:
    taken = {name: mark.version for s in states if s.account for name, mark in s.account.watermark.items()}
    found = []
    for source in conf.pipeline.sources:
        newest = Landing(conf, source).newest()
        found.append(Delivered(source, newest, newest - taken.get(f"landing.{source}", 0)))
    return found


def _render(status: Pipeline, console: "Console") -> None:
    from rich.text import Text

    console.print(Text(f"{status.pipeline}, environment {status.environment}", style="bold"))
    console.print(_tables(status))
    for table in status.tables:
        if table.good != table.data:
            console.print(Text(stuck(table), style="red"))
    for run_id, until in status.pinned.items():
        console.print(f"run {run_id} is pinned until {until}")
    console.print(Text("\nlanding", style="bold"))
    for source in status.sources:
        pending = f"{source.pending} not taken in yet" if source.pending else "all taken in"
        told = f"{counted(source.deliveries, 'deliveries')}, {pending}" if source.deliveries else "none yet"
        console.print(f"  {source.source:24} {told}")
    console.print(Text("\nlast runs", style="bold"))
    for run in status.runs:
        told = "passed" if run["passed"] else f"{run['failed']} failed"
        at = f"{run['started_at']:%Y-%m-%d %H:%M}"
        tables = f"{run['done']} refreshed, {run['skipped']} skipped"
        console.print(f"  {at}  {told:9} {tables:25} {run['seconds']:>7.1f} s  {run['run_id']}")
    if not status.runs:
        console.print(f"  none yet: `medallion run {status.pipeline}`")


def _tables(status: Pipeline) -> Any:
    from rich.table import Table

    counted = [name for name in ("quarantined", "waiting") if any(getattr(t, name) for t in status.tables)]
    shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("table")
    for heading in ("version", "rows", *counted):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("changed (UTC)", no_wrap=True)
    shown.add_column("technique", no_wrap=True)
    for table in status.tables:
        held = [_count(getattr(table, name) or None) for name in counted]
        at = (table.at or "").replace("T", " ")[:16]
        cells = [table.table.partition(".")[2], _count(table.good), _count(table.rows), *held]
        shown.add_row(*cells, at, table.technique or "", style="" if table.good == table.data else "red")
    return shown


def stuck(table: Standing) -> str:
    """Say what is wrong with a table whose newest rows are not what readers see."""
    kept = "nothing" if table.good is None else f"version {table.good}"
    return f"{table.table}: version {table.data} did not pass its gate, or was not judged; readers see {kept}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
