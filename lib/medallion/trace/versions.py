"""Tables as they were at a version, with what that version was made from."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Protocol

from medallion.account import GOING, MAINTAINED, NO_VERSION, Account, Mark
from medallion.errors import ConfError, HistoryError
from medallion.lake import Commit, Lake, State
from medallion.step import Run


class Made(Protocol):
    """A version of a table: what made it, and when, in milliseconds since 1970."""

    @property
    def version(self) -> int:
        """Its number."""

    @property
    def at_ms(self) -> int:
        """When it was committed."""

    @property
    def account(self) -> Account | None:
        """The account of its commit."""


def state_at(lake: Lake, name: str, version: int | None = None) -> State:
    """Return a table as it was at a version, or as its readers see it, with the account of what made its rows.

    Raises ConfError where the table has no such version, HistoryError where its log no longer tells of it.
    """
    state = lake.state(name)
    if state is None:
        raise ConfError(f"{name}: does not exist yet; `medallion run {name.split('.')[0]}` makes it")
    if version is None and state.good == NO_VERSION:
        raise ConfError(f"{name}: no version has passed its gate yet; wanted one, or --at with a version")
    commits = [commit for commit in lake.history(name) if commit.account is not None]
    if version is not None:
        _require(name, version, state, commits)
        commits = [commit for commit in commits if commit.version <= version]
        if _account(commits[0]).technique == GOING:
            raise ConfError(
                f"{name}: version {version} is half of a refresh, which took away what is gone: wanted {version - 1}, "
                f"or {version + 1} with what came"
            )
    wanted = state.good if version is None else _account(commits[0]).data
    made = [commit for commit in commits if _account(commit).data == wanted]
    found = next((one for one in made if _account(one).technique not in MAINTAINED), made[0] if made else None)
    if found is None:
        raise HistoryError(f"{name}: its log no longer tells what version {wanted} was made from; wanted a later one")
    account = replace(_account(found), data=wanted, good=wanted)
    return State(name, state.path, state.table_id, wanted, account)


def upstream_at(lake: Lake, name: str, mark: Mark, reader: State) -> State:
    """Return an upstream table at the version that a reader of it was made from.

    Raises HistoryError where it is another table by now, or that version is gone.
    """
    found = state_at(lake, name, mark.version)
    if found.table_id != mark.table_id:
        raise HistoryError(
            f"{name}: version {mark.version}, which {reader.name} version {reader.version} was made from, is gone: the "
            "table was made anew since; wanted a version that came after that"
        )
    return found


def named_version(run: Run, name: str, told: str) -> int:
    """Return the version of a table that somebody means: by its number, or by a run (see `version_of_run`)."""
    return int(told) if told.isascii() and told.isdigit() else version_of_run(run.lake, name, run.tables, told)


def version_of_run(lake: Lake, name: str, tables: Iterable[str], run_id: str) -> int:
    """Return the version of a table that a run made, or that it found when it ended.

    Raises ConfError where no table of the pipeline has a commit of that run, or this one was not there yet.
    """
    version = cut_of_run(lake, name.split(".")[0], tables, run_id).get(name, NO_VERSION)
    if version == NO_VERSION:
        raise ConfError(f"{name}: was not there yet when run {run_id} ended; wanted a later run")
    return version


def cut_of_run(lake: Lake, pipeline: str, tables: Iterable[str], run_id: str) -> dict[str, int]:
    """Return the same of all tables that are there, NO_VERSION for one that was not there yet."""
    found = cut({table: list(lake.history(table)) for table in tables if lake.exists(table)}, run_id)
    if not found:
        raise ConfError(
            f"{pipeline}: found no commit of run {run_id!r}; `medallion status {pipeline}` lists the last runs"
        )
    return found


def cut(histories: Mapping[str, Collection[Made]], run_id: str) -> dict[str, int]:
    """Return the version of each table when a run had ended: its own newest, or what was there before it ended.

    Nothing where no table has a commit of that run; NO_VERSION for a table that was not there yet.
    """
    own = {
        name: [one for one in made if one.account and one.account.run_id == run_id] for name, made in histories.items()
    }
    ends = [one.at_ms for one in chain(*own.values())]
    return {
        name: max((one.version for one in own[name] or made if one.at_ms <= max(ends)), default=NO_VERSION)
        for name, made in histories.items()
        if ends
    }


def good_at(lake: Lake, name: str, version: int | None) -> State | None:
    """Return what readers saw of a table when a version was its newest, or see now; None where none had passed."""
    if not lake.exists(name):
        return None
    commits = [one for one in lake.history(name) if version is None or one.version <= version]
    newest = next((one.account for one in commits if one.account), None)
    if newest is None or newest.good == NO_VERSION:
        return None
    return state_at(lake, name, newest.good)


def _require(name: str, version: int, state: State, commits: list[Commit]) -> None:
    oldest = min((commit.version for commit in commits), default=NO_VERSION)
    if version > state.version or version < 0:
        raise ConfError(f"{name}: no version {version}; wanted one from {oldest} to {state.version}")
    if version < oldest:
        raise HistoryError(f"{name}: version {version} is gone from its log; wanted one from {oldest} on")


def _account(commit: Commit) -> Account:
    assert commit.account is not None  # only such commits are looked at
    return commit.account
