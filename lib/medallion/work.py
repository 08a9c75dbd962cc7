"""Runs that a person starts: with progress while they last, a record of them, and a report at the end."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from medallion import alerts, graph, ops, report, run
from medallion.conf import Conf
from medallion.errors import ConfError, StorageError
from medallion.maintain import forecast
from medallion.maintain import work as upkeep
from medallion.output import console, tell
from medallion.progress import Progress
from medallion.session import Sessions
from medallion.step import Asked, Run
from medallion.tables import Silver
from medallion.views import maintenance, names, status

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Held:
    """What is in quarantine and waits, by table: what a replay would judge again."""

    dry_run: bool
    tables: dict[str, dict[str, int]]

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, out: "Console") -> None:
        """Print a line a table."""
        for name, held in self.tables.items():
            out.print(f"{name}: {held['quarantined']:,} quarantined, {held['waiting']:,} waiting")
        out.print("these would be judged again; nothing was written" if self.tables else "nothing to judge again")


def refresh(conf: Conf, overrides: Sequence[str], *, layer: str | None, table: str | None, json: bool) -> int:
    """Refresh tables and report; return the exit code."""
    prepared = run.prepare(conf)
    chosen = graph.select(prepared.tables, layer=layer, table=table)
    if not chosen:
        raise ConfError(f"layer: pipeline {conf.name} has no table in {layer}")
    return _execute(prepared, chosen, overrides, json=json)


def replay(conf: Conf, overrides: Sequence[str], *, table: str | None, json: bool) -> int:
    """Judge again what is in quarantine or waits, refresh what depends on it; return the exit code."""
    prepared = run.prepare(conf)
    chosen = graph.select(prepared.tables, layer="silver" if table is None else None, table=table)
    wrong = [name for name in chosen if not isinstance(prepared.tables[name], Silver)]
    if wrong:
        raise ConfError(f"table: found {wrong[0]}; wanted a silver table, since only these have a quarantine")
    held = {name: status.rejected(prepared.lake, names.quarantine_of(name)) for name in chosen}
    dry_run = conf.platform.runtime.dry_run
    found = Held(dry_run, {name: counts for name, counts in held.items() if any(counts.values())})
    if dry_run or not found.tables:
        tell(found.facts(), found.render, json=json)
        return 0
    again = replace(prepared, asked=Asked(quarantined=True))
    return _execute(again, graph.with_downstream(prepared.tables, chosen), overrides, json=json)


def maintain(conf: Conf, table: str | None, *, dry_run: bool, json: bool, eager: bool = False) -> int:
    """Say what maintenance of a pipeline, or of one table, would do; or do it, and say what it freed.

    With ``eager`` Spark is started even if nothing needs it: YARN counts a driver without it as failed.
    """
    prepared = run.prepare(conf)
    only = graph.select(prepared.tables, table=table) if table else []
    if dry_run:
        planned = maintenance.Planned(conf.name, conf.environment, forecast.of(prepared, only))
        tell(planned.facts(), planned.render, json=json)
        return 0
    sessions = Sessions(conf)
    try:
        if eager:
            sessions.start()
        with console(stderr=True).status(f"{conf.name}: looking at what is due") as status:
            done = upkeep.maintain(prepared, sessions, only, lambda name: status.update(f"maintaining {name}"))
    finally:
        sessions.stop()
    found = maintenance.Maintained(conf.name, conf.environment, prepared.run_id, done)
    tell(found.facts(), found.render, json=json)
    return 0 if found.passed else 1


def _execute(prepared: Run, chosen: Sequence[str], overrides: Sequence[str], *, json: bool) -> int:
    sessions = Sessions(prepared.conf)
    try:
        with (
            alerts.watching(prepared.conf, prepared.run_id),
            Progress(console(stderr=True), len(chosen)) as progress,
        ):
            done = run.run_tables(prepared, sessions, chosen, listen=progress)
        problem = _record(prepared, done)
        facts = {
            **report.as_json(done),
            "quarantine": [asdict(r) for r in report.quarantine_reasons(prepared)],
        }
        tell(facts, lambda out: report.render(done, prepared, out, overrides=overrides), json=json)
        sys.stderr.write(problem)
        alerts.ended(prepared.conf, done.passed, f"run {done.run_id} passed in {done.seconds:.1f} s", problem)
        return 0 if done.passed and not problem else 1
    finally:
        sessions.stop()


def _record(prepared: Run, done: run.Report) -> str:
    """Record a run; return the line to tell where that failed, since the report on tables is not to be lost with it."""
    try:
        ops.record(prepared, done)
    except StorageError as error:
        return f"{error}\n"
    return ""
