"""How a table is refreshed, decided from declared facts and histories alone, without Spark."""

from collections.abc import Mapping
from dataclasses import dataclass

from medallion import commits, log_files
from medallion.bronze import COLUMNS as BRONZE_COLUMNS
from medallion.errors import HistoryError
from medallion.fingerprint import fingerprint
from medallion.lake import NO_VERSION, Account, Mark, State
from medallion.step import Run, parameters
from medallion.tables import RUN_DATE, Bronze, Gold, Silver, Table

UNCHANGED = "nothing changed upstream"


@dataclass(frozen=True)
class Plan:
    """Technique and reason of a refresh, and what it is planned on.

    ``upstream`` holds the state of every table read; ``marks`` the watermark that its commit will carry.
    """

    technique: str
    reason: str
    state: State | None
    upstream: Mapping[str, State]
    marks: Mapping[str, Mark]
    fingerprint: str
    changed: tuple[str, ...] = ()

    def account(self, run: Run, table: Table, rows: Mapping[str, int], *, judged: bool) -> Account:
        """Return the account of the commit this plan leads to; ``judged`` if its rows passed beforehand."""
        good = self.state.good if self.state else NO_VERSION
        return Account(
            run.run_id,
            self.technique,
            self.reason,
            self.fingerprint,
            self.marks,
            rows,
            run_date=run.run_date.isoformat() if RUN_DATE in table.parameters else None,
            data=self.state.data if self.state else NO_VERSION,
            good=commits.SAME_COMMIT if judged else good,
        )


def plan(run: Run, table: Silver | Gold, upstream: Mapping[str, State]) -> Plan:
    """Return how a silver or gold table is to be refreshed, given its upstream tables' states."""
    state = run.lake.state(table.name)
    mark = _fingerprint(run, table)
    account = state.account if state else None
    before = account.watermark if account else {}
    changed = tuple(name for name, up in upstream.items() if name not in before or before[name].version != up.good)
    technique, reason = _decide(run, table, state, mark, upstream, changed)
    marks = {
        name: Mark(
            up.good,
            up.table_id,
            before[name].version if name in before and technique != "full" else NO_VERSION,
            run.lake.made_by(up, up.good),
        )
        for name, up in upstream.items()
    }
    return Plan(technique, reason, state, upstream, marks, mark, changed)


def _decide(
    run: Run,
    table: Table,
    state: State | None,
    mark: str,
    upstream: Mapping[str, State],
    changed: tuple[str, ...],
) -> tuple[str, str]:
    forced = _forced_full(run, state, mark, upstream)
    if forced:
        return "full", forced
    moved = ", ".join(f"{name} {_since(state, name)} to {upstream[name].good}" for name in changed)
    if isinstance(table, Silver):
        return _of_silver(state, moved) if changed else ("skip", UNCHANGED)
    account = state.account if state else None
    if account and account.run_date and account.run_date != run.run_date.isoformat():
        return "full", f"the run's date moved from {account.run_date} to {run.run_date}"
    if state and state.data != state.good:
        return "full", f"version {state.data} did not pass its gate"
    return ("full", moved) if changed else ("skip", UNCHANGED)


def _of_silver(state: State | None, moved: str) -> tuple[str, str]:
    """Return technique and reason where something changed upstream; a merge needs the rows that are stored."""
    gone = log_files.files_gone(state.name, state.path, state.data) if state else None
    return ("full", gone) if gone else ("affected_keys", moved)


def _forced_full(run: Run, state: State | None, mark: str, upstream: Mapping[str, State]) -> str | None:
    """Return why nothing less than a full refresh is right, if so."""
    if state is None:
        return "first load"
    if state.account is None:
        return "its history holds no commit of ours"
    if state.foreign:
        return f"its rows were changed by hand: {state.foreign}"
    if state.account.fingerprint != mark:
        return "its definition changed"
    told = (_unfollowed(run, up, state.account.watermark.get(name)) for name, up in upstream.items())
    return next((reason for reason in told if reason), None)


def _unfollowed(run: Run, up: State, seen: Mark | None) -> str | None:
    """Return why what happened to an upstream table since it was consumed cannot be told from its history."""
    name = up.name
    if seen is None or seen.table_id != up.table_id:
        return f"{name} was recreated"
    if seen.version > up.good:
        return f"{name} went back from version {seen.version} to {up.good}"
    if seen.made_by and run.lake.made_by(up, seen.version) not in ("", seen.made_by):
        return f"{name}: version {seen.version} is not the one that was taken in: it was lost, and made again"
    if up.foreign:
        return f"{name} was changed by hand: {up.foreign}"
    try:
        run.lake.commits_between(name, seen.version, up.good)
    except HistoryError as error:
        return f"history is gone: {error}"
    # Of bronze the records are chosen by their delivery, not by its feed.
    gap = None if isinstance(run.tables[name], Bronze) else run.lake.feed_gap(name, seen.version, up.good)
    return f"history is gone: {name}: {gap}" if gap else None


def _since(state: State | None, name: str) -> str:
    known = state.account.watermark.get(name) if state and state.account else None
    return str(known.version) if known else "none"


def _fingerprint(run: Run, table: Table) -> str:
    columns = {}
    for name in table.upstream:
        up = run.tables[name]
        named = BRONZE_COLUMNS if isinstance(up, Bronze) else {c: t for c, (t, _) in up.columns.items()}
        columns[name] = ", ".join(f"{column} {type_}" for column, type_ in named.items())
    return fingerprint(table, parameters(run, table), run.conf.expectations(table.name), columns)
