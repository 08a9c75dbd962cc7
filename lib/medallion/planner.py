"""How a table is refreshed, decided from declared facts and histories alone, without Spark."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from medallion import code, commits, economy, log_files
from medallion.account import GOING, NO_VERSION, Account, Mark
from medallion.bronze import COLUMNS as BRONZE_COLUMNS
from medallion.errors import HistoryError, some
from medallion.fingerprint import fingerprint, unsteady
from medallion.lake import State
from medallion.output import counted
from medallion.step import Run, parameters
from medallion.tables import RUN_DATE, Aggregate, Bronze, Gold, Mart, Silver, Table

UNCHANGED = "nothing changed upstream"
REFUSED = "refused"  # a full refresh is due, and conf says that this table is not to have one by itself


@dataclass(frozen=True)
class Plan:
    """Technique and reason of a refresh, and what it is planned on.

    ``upstream`` holds the state of every table read; ``marks`` the watermark that its commit will carry; ``cost``,
    of a gold table that can be refreshed by what changed, what either way would take; ``backfill`` the version that it
    is on its way to, where it goes only a part of it.
    """

    technique: str
    reason: str
    state: State | None
    upstream: Mapping[str, State]
    marks: Mapping[str, Mark]
    fingerprint: str
    changed: tuple[str, ...] = ()
    cost: economy.Cost | None = None
    backfill: int | None = None

    def account(
        self, run: Run, table: Table, rows: Mapping[str, int], *, judged: bool, began: int | None = None
    ) -> Account:
        """Return the account of the commit this plan leads to; ``judged`` if its rows passed beforehand."""
        way = "full" if self.technique == "full" else "incremental"
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
            began=began,
            expected=round(self.cost.usual[way], 3) if self.cost else None,
            code=code.commit_of(run.conf.project),
            backfill=self.backfill,
        )

    def in_full(self, reason: str) -> "Plan":
        """Return the plan of a full refresh in place of this one."""
        return replace(self, technique="full", reason=reason, marks=_anew(self.marks))


def plan(run: Run, table: Silver | Gold, upstream: Mapping[str, State]) -> Plan:
    """Return how a silver or gold table is to be refreshed, given its upstream tables' states."""
    found = _found(run, table, upstream)
    technique, reason, cost = _decide(run, table, found)
    marks = _anew(found.marks) if technique == "full" else found.marks
    return replace(found, technique=technique, reason=reason, marks=marks, cost=cost)


def again(run: Run, table: Silver, upstream: Mapping[str, State]) -> Plan:
    """Return the plan of judging some records again by today's definition, whatever the others were judged by.

    Where that is another one the fingerprint tells of both, so that the next run judges all. Raises HistoryError where
    the table's own rows, or what happened upstream, are no ground to go on from.
    """
    found = _found(run, table, upstream)
    account = found.state.account if found.state else None
    forced = _forced_full(run, found.state, account.fingerprint if account else "", upstream)
    if forced:
        raise HistoryError(f"{table.name}: wants a full refresh, as `medallion run {run.conf.name}` makes: {forced}")
    lacking = [column for column in table.columns if column not in run.lake.columns(table.name)]
    if lacking:
        raise HistoryError(
            f"{table.name}: has no column {some(lacking)} yet, which its definition names; wanted it "
            f"refreshed in full: `medallion run {run.conf.name}`"
        )
    known = account.fingerprint if account else ""
    mark = known if found.fingerprint in known.split("+") else f"{known}+{found.fingerprint}"
    reason = f"{counted(len(run.asked.records), 'records')} judged again"
    return replace(found, technique="affected_keys", reason=reason, fingerprint=mark)


def _found(run: Run, table: Silver | Gold, upstream: Mapping[str, State]) -> Plan:
    """Return a plan that is not decided yet: what is there, and what changed upstream."""
    state = run.lake.state(table.name)
    account = state.account if state else None
    before = account.watermark if account else {}
    changed = tuple(name for name, up in upstream.items() if name not in before or before[name].version != up.good)
    marks = {
        name: Mark(
            up.good,
            up.table_id,
            before[name].version if name in before else NO_VERSION,
            run.lake.made_by(up, up.good),
        )
        for name, up in upstream.items()
    }
    return Plan("", "", state, upstream, marks, fingerprint_of(run, table), changed)


def _anew(marks: Mapping[str, Mark]) -> dict[str, Mark]:
    """Return watermarks that say that everything was read."""
    return {name: replace(mark, since=NO_VERSION) for name, mark in marks.items()}


def _decide(run: Run, table: Silver | Gold, found: Plan) -> tuple[str, str, economy.Cost | None]:
    """Return technique, reason and, where it was asked for, what it costs."""
    state, upstream, changed = found.state, found.upstream, found.changed
    forced = _forced_full(run, state, found.fingerprint, upstream)
    moved = ", ".join(f"{name} {_since(state, name)} to {upstream[name].good}" for name in changed)
    waits = backfilled(run, table, state, upstream)
    if waits and (not forced or not isinstance(table, Silver)):
        return "skip", waits, None
    if isinstance(table, Silver):
        technique, reason = ("full", forced) if forced else _of_silver(state, moved) if changed else ("skip", UNCHANGED)
        return technique, reason, None
    if state is None:
        return "full", str(forced), None
    forced = forced or _stale(run, state)
    if not forced and not changed:
        return "skip", UNCHANGED, None
    wanted = run.conf.refresh(table.name)
    refused = forced or economy.unsupported(table) or _unsteady(table)
    refused = refused or log_files.files_gone(state.name, state.path, state.data)
    cost = None
    if not refused:
        cost = economy.cost(run, table, upstream, found.marks)
        refused = cost.refused if wanted == "auto" else "conf asks for it" if wanted == "full" else None
    if refused is None and cost is not None:
        return _technique(table), f"{economy.told(cost.changes)}; {cost.told}", cost
    if wanted == "incremental":
        return REFUSED, str(refused), cost
    return "full", str(refused) if forced or cost else f"{moved}; {refused}", cost


def backfilled(run: Run, table: Silver | Gold, state: State | None, upstream: Mapping[str, State]) -> str | None:
    """Return why a table is to be left alone while a backfill goes on: its own, or of gold one upstream."""
    if table.name in run.asked.until:
        return None
    behind = [state] if isinstance(table, Silver) else list(upstream.values())
    found = [one.name for one in behind if one and one.account and one.account.backfill is not None]
    if not found:
        return None
    return f"waits for the backfill of {', '.join(found)}: `medallion backfill {run.conf.name}` goes on with it"


def likely(run: Run, table: Gold) -> str:
    """Return how a gold table is likely to be refreshed when upstream tables are about to change, if not by much."""
    wanted = run.conf.refresh(table.name)
    if wanted == "full" or economy.unsupported(table) or _unsteady(table):
        return "full"
    if wanted == "incremental":
        return _technique(table)
    upstream = {name: up for name in table.upstream if (up := run.lake.state(name)) is not None}
    marks = {name: Mark(up.good, since=up.good) for name, up in upstream.items()}
    return "full" if economy.cost(run, table, upstream, marks).refused else _technique(table)


def _stale(run: Run, state: State) -> str | None:
    """Return why a gold table's rows are no ground to go on from, though its upstream can be followed."""
    account = state.account
    if account and account.run_date and account.run_date != run.run_date.isoformat():
        return f"the run's date moved from {account.run_date} to {run.run_date}"
    if account and account.technique == GOING:
        return f"the refresh that version {state.data} is half of did not end"
    if state.data != state.good:
        return f"version {state.data} did not pass its gate"
    return None


def _unsteady(table: Gold) -> str | None:
    called = unsteady(table)
    return f"its definition calls {called}, which gives another result each time" if called else None


def _technique(table: Gold) -> str:
    """Return how a gold table is refreshed by what changed; which groups need a look at their rows, a refresh finds."""
    if isinstance(table, Mart):
        return "affected_keys"
    adds_up = isinstance(table, Aggregate) and all(m.adds_up for m in table.measures.values())
    return "signed_delta" if adds_up else "affected_groups"


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


def fingerprint_of(run: Run, table: Table) -> str:
    """Return the fingerprint of a table's definition, with its parameters, expectations and upstream columns."""
    columns = {}
    for name in table.upstream:
        up = run.tables[name]
        named = BRONZE_COLUMNS if isinstance(up, Bronze) else {c: t for c, (t, _) in up.columns.items()}
        columns[name] = ", ".join(f"{column} {type_}" for column, type_ in named.items())
    return fingerprint(table, parameters(run, table), run.conf.expectations(table.name), columns)
