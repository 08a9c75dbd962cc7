"""What a backfill did, batch by batch, or would do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from medallion import backfill, clock, graph, lock, openlineage, ops
from medallion import run as runs
from medallion.backfill import Turn
from medallion.conf import Conf
from medallion.output import counted
from medallion.run import Report
from medallion.session import Sessions
from medallion.step import Outcome, Run
from medallion.tables import Silver
from medallion.views import names, status

if TYPE_CHECKING:
    from rich.console import Console

Say = Callable[[str, int], None]  # a table's name, and rows that are left


@dataclass(frozen=True)
class Question:
    """Which tables of a pipeline, one or all; how many rows a batch; what is new, or what is in quarantine."""

    table: str | None = None
    rows: int = backfill.ROWS
    quarantine: bool = False


@dataclass
class Filled:
    """One table: its batches, their rows, and what became of these; ``left`` are still to come."""

    table: str
    batches: int = 0
    rows: int = 0
    left: int = 0
    became: dict[str, int] = field(default_factory=dict)
    error: str | None = None

    def add(self, turn: Turn) -> None:
        """Take note of a batch."""
        self.left = turn.left
        if turn.outcome.status != "done":
            self.error = turn.outcome.error or turn.outcome.reason
            self.left += turn.rows
            return
        self.batches += 1
        self.rows += turn.rows
        for term, count in turn.outcome.rows.items():
            self.became[term] = self.became.get(term, 0) + count


@dataclass(frozen=True)
class Backfilled:
    """What became of each table, and of those that depend on them; in a dry run what is to come."""

    pipeline: str
    dry_run: bool
    tables: list[Filled]
    downstream: list[Outcome]

    @property
    def passed(self) -> bool:
        """Whether every batch and every table downstream did what it was to do."""
        fine = all(one.error is None for one in self.tables)
        return fine and all(one.status in ("done", "skipped") for one in self.downstream)

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self) | {"passed": self.passed}

    def render(self, console: "Console") -> None:
        """Print a line a table."""
        from rich.text import Text

        for one in self.tables:
            told = ", ".join(f"{count:,} {term}" for term, count in one.became.items() if count and term != "read")
            done = f"{counted(one.rows, 'rows')} in {counted(one.batches, 'batches')}" if one.batches else ""
            left = f"{counted(one.left, 'rows')} to come" if one.left else ""
            said = "; ".join(filter(None, (done and f"{done}: {told}", left)))
            console.print(Text.assemble((one.table, "bold"), f"  {said}"))
            if one.error:
                console.print(Text(f"  stopped: {one.error}", style="bold red"))
        for outcome in self.downstream:
            console.print(f"{outcome.table}  {outcome.error or f'{outcome.technique}: {outcome.reason}'}", style="dim")
        if not self.tables:
            console.print("nothing to catch up with: every table has taken in what it reads")
        elif self.dry_run:
            console.print("this is what would be taken in; nothing was written")


def of(conf: Conf, asked: Question, say: Say = lambda *_: None, sessions: Sessions | None = None) -> Backfilled:
    """Bring silver tables up to what they read, or judge their quarantine again; then refresh what depends on them.

    Raises ConfError for a table that is not silver, HistoryError where only a full refresh is right.
    """
    run = runs.prepare(lock.patient(conf))  # a run at work goes first
    chosen = graph.select(run.tables, layer=None if asked.table else "silver", table=asked.table)
    tables = backfill.silver_tables(run, chosen)
    if conf.platform.runtime.dry_run:
        return Backfilled(conf.name, True, [one for one in map(_to_come(run, asked), tables) if one.left], [])
    own = sessions or Sessions(run.conf)
    started = clock.now().isoformat(timespec="seconds")
    outcomes: list[Outcome] = []
    try:
        with openlineage.telling(run) as told:
            filled = list(_filled(run, own, tables, asked, say, outcomes))
            if filled and all(one.error is None for one in filled):
                rest = graph.with_downstream(run.tables, [one.table for one in filled])
                rest = [name for name in rest if name not in [one.table for one in filled]]
                downstream = runs.run_tables(run, own, rest).outcomes
            else:
                downstream = []
            told.passed = all(one.status in ("done", "skipped") for one in (*outcomes, *downstream))
        if filled:
            ops.record(run, Report(conf.name, run.run_id, conf.environment, started, [*outcomes, *downstream]))
    finally:
        if sessions is None:
            own.stop()
    return Backfilled(conf.name, False, filled, downstream)


def _filled(
    run: Run, sessions: Sessions, tables: Sequence[Silver], asked: Question, say: Say, outcomes: list[Outcome]
) -> Iterator[Filled]:
    """Yield what became of each table that had something to come, and gather outcomes; stops where a batch fails."""
    turns = backfill.quarantined if asked.quarantine else backfill.turns
    for table in tables:
        one = Filled(table.name)
        for turn in turns(run, sessions, table, asked.rows, say):
            one.add(turn)
            outcomes.append(turn.outcome)
        if one.batches or one.error:
            yield one
        if one.error:
            return


def _to_come(run: Run, asked: Question) -> Callable[[Silver], Filled]:
    def of_table(table: Silver) -> Filled:
        if asked.quarantine:
            held = status.rejected(run.lake, names.quarantine_of(table.name))
            return Filled(table.name, left=sum(held.values()))
        return Filled(table.name, left=sum(batch.rows for batch in backfill.behind(run, table, asked.rows)))

    return of_table
