"""Records of bronze judged again by today's definitions, with nothing new, and all that depends on them refreshed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medallion import graph
from medallion import run as runs
from medallion.errors import ConfError, some
from medallion.gate import read_version
from medallion.lake import State
from medallion.output import counted, in_a_line
from medallion.run import Listener, Report
from medallion.session import Sessions
from medallion.step import Asked, Run
from medallion.tables import Bronze, Silver
from medallion.trace.versions import good_at, state_at

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MOST = 100_000  # records at once; of more a full refresh is the better way
_ID = re.compile("[0-9a-f]{8,64}")  # of a record, or how it begins


@dataclass(frozen=True)
class Reprocessed:
    """What came of it: the run's report, and of each table that went on its versions before and after."""

    report: Report
    moved: dict[str, tuple[int, int]]


def readers(run: Run, table: str) -> list[str]:
    """Return the silver tables that judge a bronze table's records, children after their parents.

    Raises ConfError where it is no bronze table, or none reads it, or one that does was not made yet.
    """
    if not isinstance(run.tables[table], Bronze):
        raise ConfError(f"{table}: found no bronze table; wanted the one whose records are to be judged again")
    found = {table}
    for name, one in run.tables.items():
        if isinstance(one, Silver) and one.reads in found:
            found.add(name)
    found.remove(table)
    if not found:
        raise ConfError(f"{table}: no silver table reads it")
    lacking = [name for name in found if run.lake.state(name) is None]
    if lacking:
        raise ConfError(f"{some(sorted(lacking))}: not there yet; `medallion run {run.conf.name}` makes it")
    return [name for name in run.tables if name in found]


def require_ids(given: Sequence[str]) -> None:
    """Raise ConfError where what names records cannot be the beginning of an id."""
    wrong = [one for one in given if not _ID.fullmatch(one)]
    if wrong:
        raise ConfError(
            f"--record: found {in_a_line(some(wrong))}; wanted an id, or at least 8 of its first characters"
        )


def find(run: Run, session: "SparkSession", table: str, ids: Sequence[str], where: str | None) -> tuple[str, ...]:
    """Return the ids of records, given by how these begin (see `require_ids`), and by a condition in SQL.

    Only those that all readers have taken in are known. Raises ConfError where one is not found, or is not the only one
    that begins so, or there are more than MOST.
    """
    known = _taken_in(run, session, table)
    found = known.where(where) if where else known
    if ids:
        found = found.where(_begins_with_one_of(ids))
    told = sorted(row["_record_id"] for row in found.select("_record_id").limit(MOST + 1).collect())
    if len(told) > MOST:
        raise ConfError(
            f"{table}: found more than {MOST:,} records; wanted fewer: to judge all again, `medallion run "
            f"{run.conf.name}` does so by itself where a definition changed"
        )
    for one in ids:
        meant = [record for record in told if record.startswith(one)]
        if len(meant) != 1:
            raise ConfError(
                f"--record: found {counted(len(meant), 'records')} of {table} that begin with {one}, wanted one that "
                "silver has taken in; `medallion trace` tells the ids behind a row"
            )
    if not told:
        raise ConfError(f"{table}: found no record like that; wanted some that silver has taken in")
    return tuple(told)


def reprocess(run: Run, sessions: Sessions, table: str, records: Sequence[str], listen: Listener) -> Reprocessed:
    """Judge records again in all tables that read them, and refresh what depends on these.

    Tables whose rows come out the same have no new version, so that a second time changes nothing.
    """
    again = frozenset(readers(run, table))
    asked = replace(run, asked=Asked(records=tuple(records), tables=again))
    names = graph.with_downstream(run.tables, again)
    before = {name: good_at(run.lake, name, None) for name in names}
    report = runs.run_tables(asked, sessions, names, listen=listen)
    after = {name: good_at(run.lake, name, None) for name in names}
    return Reprocessed(report, {name: moved for name in names if (moved := _moved(before[name], after[name]))})


def _moved(before: State | None, after: State | None) -> tuple[int, int] | None:
    if before is None or after is None or before.version == after.version:
        return None
    return before.version, after.version


def _taken_in(run: Run, session: "SparkSession", table: str) -> "DataFrame":
    """Return the records of a bronze table up to the version that all who read it have taken in."""
    marks = []
    for name in readers(run, table):
        state = run.lake.state(name)
        if state and state.account and table in state.account.watermark:
            marks.append(state.account.watermark[table].version)
    state = state_at(run.lake, table, min(marks, default=None))
    return read_version(session, state, state.version)


def _begins_with_one_of(ids: Sequence[str]) -> str:
    return " OR ".join(f"startswith(_record_id, '{one}')" for one in ids)
