"""A table made anew in full at the cut that a version records, and held against what that version stores."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion import gate, gold, planner, silver
from medallion.compare import checksum, differences
from medallion.errors import ConfError, HistoryError
from medallion.lake import State
from medallion.step import Run, Step
from medallion.tables import Bronze, Silver
from medallion.trace.versions import upstream_at
from medallion.trace.walk import as_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Reproduced:
    """What came of it: rows and checksums of both sides, the versions it was made from, and what differs by key."""

    rows: tuple[int, int]
    checksums: tuple[str, str]
    made_from: dict[str, int]
    differences: list[str]


def reproduce(run: Run, session: "SparkSession", state: State) -> Reproduced:
    """Make a table anew as of a version of it, and compare.

    Raises ConfError for bronze, HistoryError where its definition has changed since, or what it was made from is gone.
    """
    table, account = run.tables[state.name], state.account
    if isinstance(table, Bronze) or account is None:
        raise ConfError(f"{state.name}: is what landing holds, as received; `medallion audit` compares these")
    then = as_of(run, state)
    if planner.fingerprint_of(then, table) != account.fingerprint:
        at = f": check out {account.code}, with its conf" if account.code else ", at a commit that it did not record"
        raise HistoryError(f"{state.name} version {state.version}: made by another definition than today's{at}")
    upstream = {name: upstream_at(run.lake, name, account.watermark[name], state) for name in table.upstream}
    step = Step(then, table, lambda: session)
    planned = planner.Plan("full", "", state, upstream, account.watermark, account.fingerprint)
    stored = gate.read_version(session, state, state.version)
    if isinstance(table, Silver):
        stored = silver.told_by_records(table, stored)
        records = gate.upstream_rows(step, upstream[table.reads])
        anew = silver.made_anew(step, table, planned, records).where(silver.STORED).select(*stored.columns)
    else:
        stored = stored.select(*table.columns)
        anew = gold.build(step, table, planned).select(*table.columns)
    anew.persist()
    try:
        (made, sum_made), (found, sum_found) = checksum(anew), checksum(stored)
        same = (made, sum_made) == (found, sum_found)
        different = [] if same else differences(anew, stored, table.key)
    finally:
        anew.unpersist()
    made_from = {name: one.version for name, one in upstream.items()}
    return Reproduced((found, made), (sum_found, sum_made), made_from, different)
