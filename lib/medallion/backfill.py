"""Silver tables brought up to their upstream batch by batch, each in a commit, so that it can be stopped anywhere.

A batch goes to a version of what the table reads, so that the table is at any time what a run at that moment would have
left. Until it is there, its commits say that it is on its way: runs leave it alone, and gold waits.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from medallion import planner
from medallion import run as runs
from medallion.account import NO_VERSION
from medallion.errors import ConfError, HistoryError
from medallion.gate import require_passed
from medallion.lake import Commit
from medallion.quarantine import entries
from medallion.session import Sessions
from medallion.step import Asked, Outcome, Run, Step
from medallion.tables import Silver

ROWS = 100_000
_PAUSE_SECONDS = 0.5  # between batches: more than who waits for a lock takes to ask for it again


@dataclass(frozen=True)
class Batch:
    """How far one commit goes: a version of the upstream table, with so many records or rows new to it."""

    until: int
    rows: int


@dataclass(frozen=True)
class Turn:
    """One batch of one table, as it ended; ``left`` rows are still to come."""

    outcome: Outcome
    rows: int
    left: int


def behind(run: Run, table: Silver, rows: int) -> list[Batch]:
    """Return the batches that bring a table up to what it reads, of at least so many rows each but the last.

    None is smaller than a commit upstream. Raises HistoryError where only a full refresh is right.
    """
    upstream = run.lake.state(table.reads)
    if upstream is None or upstream.good == NO_VERSION:
        return []
    state = run.lake.state(table.name)
    since = NO_VERSION
    if state is not None:
        _require_followed(run, table)
        since = state.account.watermark[table.reads].version if state.account else NO_VERSION
    batches: list[Batch] = []
    gathered = 0
    for version, count in _steps(run, table.reads, since, upstream.good):
        gathered += count
        if gathered >= rows or version == upstream.good:
            batches.append(Batch(version, gathered))
            gathered = 0
    return batches


def turns(
    run: Run, sessions: Sessions, table: Silver, rows: int, say: Callable[[str, int], None] = lambda *_: None
) -> Iterator[Turn]:
    """Bring a table up to what it reads, a batch a turn, until it is there or a batch fails.

    Between batches the table is free: a run that waits for it goes first. ``say`` gets name and rows that are left.
    """
    while batches := behind(run, table, rows):
        left = sum(batch.rows for batch in batches)
        say(table.name, left)
        asked = replace(run, asked=Asked(until={table.name: batches[0].until}))
        outcome = runs.run_step(asked, sessions, table.name)
        yield Turn(outcome, batches[0].rows, left - batches[0].rows)
        if outcome.status != "done":
            return
        time.sleep(_PAUSE_SECONDS)


def quarantined(
    run: Run, sessions: Sessions, table: Silver, rows: int, say: Callable[[str, int], None] = lambda *_: None
) -> Iterator[Turn]:
    """Judge what is in a table's quarantine again, records that came first in the first batch; each record once."""
    while ids := _waiting(run, sessions, table):
        say(table.name, len(ids))
        asked = Asked(records=tuple(ids[:rows]), tables=frozenset((table.name,)))
        outcome = runs.run_step(replace(run, asked=asked), sessions, table.name)
        yield Turn(outcome, len(asked.records), len(ids) - len(asked.records))
        if outcome.status != "done":
            return
        time.sleep(_PAUSE_SECONDS)


def silver_tables(run: Run, names: Sequence[str]) -> list[Silver]:
    """Return the silver tables of these, upstream first; raises ConfError where one is none."""
    tables = [table for name, table in run.tables.items() if name in names]
    found = [table for table in tables if isinstance(table, Silver)]
    other = [table.name for table in tables if not isinstance(table, Silver)]
    if other:
        raise ConfError(f"{other[0]}: found no silver table; wanted one, which bronze is curated into")
    return found


def _steps(run: Run, upstream: str, after: int, until: int) -> Iterator[tuple[int, int]]:
    """Yield the upstream versions that a reader can go to, oldest first, with the rows that each changed."""
    kept = [commit for commit in run.lake.history(upstream) if commit.version <= until and commit.account]
    gathered = 0
    for commit in sorted(kept, key=lambda one: one.version):
        if commit.version <= after:
            continue
        gathered += _changed(commit)
        good = commit.account.good if commit.account else NO_VERSION
        if good == commit.version or (commit.version == until and good > after):
            yield good, gathered
            gathered = 0


def _changed(commit: Commit) -> int:
    if commit.changed is not None:
        return commit.changed
    return int(commit.metrics.get("numOutputRows", 0))


def _require_followed(run: Run, table: Silver) -> None:
    upstream = {}
    for name in table.upstream:
        state = run.lake.state(name)
        if state is not None:
            upstream[name] = state
    planned = planner.plan(replace(run, asked=Asked(until={table.name: 0})), table, upstream)
    if planned.technique == "full":
        raise HistoryError(
            f"{table.name}: wants a full refresh, not what is new batch by batch: {planned.reason}; "
            f"`medallion run {run.conf.name} --table {table.name}` makes one"
        )


def _waiting(run: Run, sessions: Sessions, table: Silver) -> list[str]:
    """Return the records in a table's quarantine that this run did not judge yet, in the order they came."""
    session = sessions.fresh()
    require_passed(Step(run, table, lambda: session), run.lake.state(table.name), table.name)
    found = entries(run, session, table)
    if found is None:
        return []
    rows = found.where(found.run_id != run.run_id).select("_delivery", "_position", "_record_id").distinct().collect()
    return list(
        dict.fromkeys(row["_record_id"] for row in sorted(rows, key=lambda row: (row[0] or 0, row[1] or 0, row[2])))
    )
