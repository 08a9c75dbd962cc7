"""What a run would do, table by table, told from histories alone: no Spark, and nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from medallion import bronze, planner
from medallion.account import NO_VERSION
from medallion.errors import HistoryError
from medallion.lake import State
from medallion.landing import Landing
from medallion.output import counted, size
from medallion.step import Run
from medallion.tables import Bronze, Gold, Silver, Table

if TYPE_CHECKING:
    from rich.console import Console

NEXT = "next"  # the version that this very run would make
_IDLE = ("skip", "blocked", planner.REFUSED)


@dataclass(frozen=True)
class Read:
    """What would be read of one input: versions (since, until], or landing deliveries by number.

    ``since`` is -1 where nothing of it was read before; ``until`` is "next" if this run changes it first.
    """

    of: str
    since: int
    until: int | str
    deliveries: int | None = None
    files: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Planned:
    """What would become of one table; ``version`` is the one it has now."""

    table: str
    technique: str  # as of a refresh; judge: only its gate; blocked, refused: it cannot, or is not to be refreshed
    reason: str
    version: int | None = None
    reads: list[Read] = field(default_factory=list)


@dataclass(frozen=True)
class Forecast:
    """What a run of these tables would do."""

    pipeline: str
    environment: str
    tables: list[Planned]

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"dry_run": True, **asdict(self)}

    def render(self, console: "Console") -> None:
        """Print a row a table."""
        _render(self, console)


def of(run: Run, names: Sequence[str]) -> Forecast:
    """Return what a run of these tables would do; the names are in graph order."""
    planned: dict[str, Planned] = {}
    for name in names:
        table = run.tables[name]
        planned[name] = _bronze(run, table) if isinstance(table, Bronze) else _curated(run, table, planned)
    return Forecast(run.conf.name, run.conf.environment, list(planned.values()))


def _bronze(run: Run, table: Bronze) -> Planned:
    landing = Landing(run.conf, table.source)
    state = run.lake.state(table.name)
    version = state.version if state else None
    try:
        since = bronze.consumed(state, table)
    except HistoryError as error:
        return Planned(table.name, "blocked", str(error), version)
    pending = landing.after(since)
    if not pending and state is not None:
        return Planned(table.name, "skip", "no new delivery", version)
    if not pending:
        return Planned(table.name, "append", bronze.NONE_YET)
    files = sum(len(manifest.files) for manifest in pending)
    size = sum(manifest.bytes for manifest in pending)
    read = Read(f"landing of {table.source}", since, pending[-1].number, len(pending), files, size)
    reason = counted(len(pending), "new deliveries")
    return Planned(table.name, "append", reason, version, [read])


def _curated(run: Run, table: Silver | Gold, planned: Mapping[str, Planned]) -> Planned:
    moving = [up for up in table.upstream if up in planned and planned[up].technique not in _IDLE]
    found = {up: run.lake.state(up) for up in table.upstream}
    state = run.lake.state(table.name)
    version = state.version if state else None
    lacking = [up for up, at in found.items() if up not in moving and (at is None or at.good != at.data)]
    if lacking:
        return Planned(table.name, "blocked", f"waits for {', '.join(lacking)}: no version to read", version)
    standing = {up: at for up, at in found.items() if at is not None and at.good != NO_VERSION}
    technique, reason = _decided(run, table, state, standing, moving)
    reads = [] if technique in ("skip", "judge") else _reads(table, state, standing, moving, anew=technique == "full")
    return Planned(table.name, technique, reason, version, reads)


def _decided(
    run: Run, table: Silver | Gold, state: State | None, standing: Mapping[str, State], moving: Sequence[str]
) -> tuple[str, str]:
    """Return technique and reason; of inputs that change in this run only the names are known."""
    after = f"after {', '.join(moving)}"
    if state is None:
        return "full", "first load"
    usual = "affected_keys" if isinstance(table, Silver) else planner.likely(run, table)
    if len(standing) < len(table.upstream):  # an input that does not exist yet: this run makes it
        return usual, after
    told = planner.plan(run, table, standing)
    if moving:
        known = told.reason if told.technique != "skip" else ""
        return (told.technique if known else usual), "; ".join(filter(None, [known, after]))
    if told.technique == "skip" and state.good != state.data:
        return "judge", f"version {state.data} was not judged yet, or did not pass its gate"
    return told.technique, told.reason


def _reads(
    table: Table, state: State | None, standing: Mapping[str, State], moving: Sequence[str], *, anew: bool
) -> list[Read]:
    seen = state.account.watermark if state and state.account and not anew else {}
    reads = []
    for up in table.upstream:
        since = seen[up].version if up in seen else NO_VERSION
        until = NEXT if up in moving else standing[up].good
        if since != until:
            reads.append(Read(up, since, until))
    return reads


def _render(forecast: Forecast, console: "Console") -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    console.print(Text(f"{forecast.pipeline}, environment {forecast.environment}: what a run would do", style="bold"))
    grid = Grid(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("table", no_wrap=True)
    grid.add_column("technique", no_wrap=True)
    grid.add_column("why", ratio=1)
    grid.add_column("reads", ratio=1)
    prefix = f"{forecast.pipeline}."
    for table in forecast.tables:
        style = {"skip": "dim", "blocked": "red", planner.REFUSED: "red"}.get(table.technique, "")
        cells = [table.table.removeprefix(prefix), table.technique, _why(table), _told(table.reads)]
        cells = [cell.replace(prefix, "") for cell in cells]
        grid.add_row(*[Text(cell) for cell in cells], style=style)
    console.print(grid)
    busy = sum(table.technique not in _IDLE for table in forecast.tables)
    console.print(
        Text(f"\n{busy} of {len(forecast.tables)} tables would be refreshed; nothing was written", style="dim")
    )


def _why(table: Planned) -> str:
    """Return the reason; one that only repeats the versions read is said in words."""
    repeated = ", ".join(f"{read.of} {read.since} to {read.until}" for read in table.reads)
    return "new versions upstream" if table.reads and table.reason == repeated else table.reason


def _told(reads: Sequence[Read]) -> str:
    """Say what is read: of landing how much, of tables the new versions, or all there is."""
    landed = [f"{counted(r.files, 'files')}, {size(r.bytes or 0)}" for r in reads if r.files is not None]
    anew = [read.of for read in reads if read.files is None and read.since == NO_VERSION]
    new = [_versions(read) for read in reads if read.files is None and read.since != NO_VERSION]
    return "\n".join([*landed, *new, *([f"all of {', '.join(anew)}"] if anew else [])])


def _versions(read: Read) -> str:
    if read.until == NEXT:
        return f"{read.of} after version {read.since}"
    return f"{read.of} {read.since} to {read.until}"
