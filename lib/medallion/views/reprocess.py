"""What judging records again changes, table by table and row by row: tried in a copy first, then for good."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from medallion import ops, reprocess
from medallion.cache.sync import follow_run
from medallion.conf import Conf
from medallion.errors import ConfError
from medallion.lake import Lake
from medallion.output import counted
from medallion.run import Listener, Report
from medallion.scratch import copied
from medallion.session import Sessions
from medallion.step import Run
from medallion.summary import as_json
from medallion.views import diff
from medallion.views.at_hand import prepared
from medallion.views.diff import Diff

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Question:
    """Which records of a bronze table are judged again: by their ids, or a condition in SQL; for good, or as a try."""

    table: str
    records: Sequence[str] = ()
    where: str | None = None
    apply: bool = False


@dataclass(frozen=True)
class Reprocessing:
    """What judging records again did, or would do: the run's report, and what differs in each table by key.

    ``same`` are tables that were made anew with the same rows, ``caches`` those that were brought in line afterwards.
    """

    table: str
    records: int
    applied: bool
    report: Report
    diffs: list[Diff]
    same: list[str] = field(default_factory=list)
    caches: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every step did, or would do, what it was to."""
        return self.report.passed

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        told = {
            "table": self.table,
            "records": self.records,
            "applied": self.applied,
            "same": self.same,
            "caches": self.caches,
        }
        return {**told, "run": as_json(self.report), "diffs": [asdict(one) for one in self.diffs]}

    def render(self, console: "Console") -> None:
        """Print what differs, and what became of it."""
        _render(self, console)


def of(conf: Conf, asked: Question, listen: Listener, sessions: Sessions | None = None) -> Reprocessing:
    """Judge records again, for good or in a copy of the tables; with Spark of ``sessions``, or one of its own.

    Raises ConfError where there are no such records, or nothing is asked for.
    """
    if not asked.records and not asked.where:
        raise ConfError("reprocess: found no record; wanted --record ID, or --where with a condition in SQL")
    reprocess.require_ids(asked.records)
    run = prepared(conf, asked.table)
    reprocess.readers(run, asked.table)
    own = sessions or Sessions(conf)
    try:
        records = _found(run, own, asked)
        with nullcontext(conf) if asked.apply else copied(conf, run.run_id) as where:
            there = replace(run, conf=where, lake=Lake(where))
            done = reprocess.reprocess(there, own, asked.table, records, listen)
            told = [
                diff.of(where, diff.Question(name, str(before), str(after)), own)
                for name, (before, after) in done.moved.items()
            ]
        caches = []
        if asked.apply:
            ops.record(run, done.report)
            synced = follow_run(run, done.report)
            caches = [one.table for one in synced.tables if one.changed] if synced else []
    finally:
        if sessions is None:
            own.stop()
    differing = [one for one in told if any(one.counts.values())]
    same = [one.table for one in told if one not in differing]
    return Reprocessing(asked.table, len(records), asked.apply, done.report, differing, same, caches)


def _found(run: Run, sessions: Sessions, asked: Question) -> tuple[str, ...]:
    from pyspark.errors import PySparkException

    try:
        return reprocess.find(run, sessions.fresh(), asked.table, asked.records, asked.where)
    except PySparkException as error:
        raise ConfError(f"--where: {sessions.explain(error)}") from error


def _render(found: Reprocessing, console: "Console") -> None:
    from rich.text import Text

    for one in found.diffs:
        one.render(console)
        console.print()
    if found.same and found.diffs:
        console.print(Text(f"no row differs in {', '.join(found.same)}", style="dim"))
    for outcome in found.report.outcomes:
        if outcome.error:
            console.print(Text.assemble(("failed  ", "bold red"), outcome.error))
    whose = f"{counted(found.records, 'records')} of {found.table}"
    if not found.passed:
        told = "not all tables could be brought in line" if found.applied else "this would fail; nothing was written"
        console.print(Text(f"{whose}: {told}", style="bold red"))
    elif not found.diffs:
        console.print(f"{whose}: what they make by today's definitions is what is stored; nothing differs")
    elif found.applied:
        caches = f", and the caches of {', '.join(found.caches)}" if found.caches else ""
        tables = counted(len(found.diffs), "tables")
        console.print(f"{whose} judged again by run {found.report.run_id}; {tables} brought in line{caches}")
    else:
        console.print(Text(f"{whose}: this is what would change; nothing was written, --yes does it", style="bold"))
