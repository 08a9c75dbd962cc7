"""What an audit is of: every table at one version, and landing up to one delivery; read once, first of all."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from medallion.account import NO_VERSION, Account
from medallion.audit.log import Log
from medallion.audit.sqlite import looked_at
from medallion.conf import Conf
from medallion.errors import ConfError
from medallion.lake import Lake, State
from medallion.landing import Landing
from medallion.quarantine import name_of
from medallion.receiver.inbox import FILE
from medallion.step import Run
from medallion.tables import Bronze, Silver
from medallion.trace.versions import cut

SAMPLE = 1000  # files, deliveries and payloads, of each table or source, that are read as a whole


@dataclass(frozen=True)
class Pin:
    """One table at its pinned version, with its log; ``problem`` says why the version cannot be told.

    ``good`` is what readers see of it, and ``account`` says what that was made from; ``newest`` is the last account.
    """

    name: str
    log: Log
    version: int
    good: int = NO_VERSION
    data: int = NO_VERSION
    table_id: str = ""
    account: Account | None = None
    newest: Account | None = None
    configuration: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def path(self) -> str:
        """The table's folder."""
        return str(self.log.folder)

    @property
    def shown(self) -> int:
        """The version that readers see; the newest where none has passed."""
        return self.good if self.good != NO_VERSION else self.version

    def state_at(self, version: int) -> State:
        """Return the table as if a version were its newest, and had passed."""
        account = self.account or Account("", "", "", "")
        return State(self.name, self.path, self.table_id, version, replace(account, data=version, good=version))


@dataclass(frozen=True)
class Waiting:
    """What a receiver's inbox said when it was pinned: (key, sha256, received_at, body or None), or why it cannot."""

    rows: list[tuple[str, bytes, str, bytes | None]] = field(default_factory=list)
    problem: str | None = None


@dataclass(frozen=True)
class Pinned:
    """A pipeline at a moment; ``run`` has its tables as they are declared today."""

    run: Run
    tables: Mapping[str, Pin]
    quarantines: Mapping[str, Pin]
    landing: Mapping[str, int]  # source -> the newest delivery
    inboxes: Mapping[str, Waiting]
    at: str | None
    sample: int
    seed: str

    @property
    def conf(self) -> Conf:
        """The pipeline's conf."""
        return self.run.conf

    def of(self, kind: type) -> Iterator[tuple[Any, Pin]]:
        """Yield the tables of a kind that are there and readable, with their pins, upstream first."""
        for name, table in self.run.tables.items():
            pin = self.tables.get(name)
            if isinstance(table, kind) and pin is not None and pin.problem is None:
                yield table, pin

    def source_of(self, name: str) -> Pin | None:
        """Return the bronze table whose records a silver table comes from, up its parents; None where not there."""
        table = self.run.tables[name]
        while isinstance(table, Silver):
            table = self.run.tables[table.reads]
        return self.tables.get(table.name)

    def removed_through(self, name: str) -> int:
        """Return the delivery up to which the records are gone that a silver table's rows come from; 0 for none."""
        pin = self.source_of(name)
        return pin.newest.removed_through if pin and pin.newest else 0

    def unsettled(self, name: str) -> str | None:
        """Return the run that wrote a table's quarantine, not yet the table, and was the last at it; else None.

        It is at work, was killed in between, or replayed without any news.
        """
        held, pin = self.quarantines[name], self.tables[name]
        last = held.newest.run_id if held.newest else ""
        if last in {account.run_id for _, account in pin.log.accounts()}:
            return None
        try:
            holder = json.loads(Path(self.conf.root("ops"), "locks", f"{name}.lock").read_text())
        except (OSError, ValueError):
            return None
        return last if holder.get("run") == last else None

    def every(self) -> list[Pin]:
        """Return all pins: tables, then quarantines."""
        return [*self.tables.values(), *self.quarantines.values()]

    def chosen(self, things: "list[Any]", what: str) -> "list[Any]":
        """Return as many things as are to be looked at, others each day, in their order."""
        if len(things) <= self.sample:
            return things
        places = sorted(Random(f"{self.seed} {what}").sample(range(len(things)), self.sample))
        return [things[place] for place in places]


def pin(run: Run, at: str | None = None, sample: int = SAMPLE) -> Pinned:
    """Pin every table of a pipeline: as it stands, or as a run left it.

    What was made later is pinned first, so that all it was made from is pinned too. Raises ConfError where no table
    has a commit of that run.
    """
    names = [name for name in reversed(list(run.tables)) if run.lake.exists(name) or _is_there(run.lake, name)]
    quarantined = {
        name: name_of(table)
        for name, table in run.tables.items()
        if isinstance(table, Silver) and _is_there(run.lake, name_of(table))
    }
    logs = {name: Log(run.lake.path(name)) for name in (*names, *quarantined.values())}
    until = {name: log.newest for name, log in logs.items()} if at is None else _cut(logs, at, run.conf.name)
    pins = {name: _pin(run.lake, name, log, until[name]) for name, log in logs.items() if until[name] != NO_VERSION}
    sources = {table.source for table in run.tables.values() if isinstance(table, Bronze)}
    inboxes = {source: _inbox(Landing(run.conf, source).folder / FILE) for source in sorted(sources)}
    return Pinned(
        run,
        {name: pins[name] for name in run.tables if name in pins},
        {name: pins[held] for name, held in quarantined.items() if held in pins},
        {source: Landing(run.conf, source).newest() for source in sorted(sources)},
        {source: found for source, found in inboxes.items() if found is not None},
        at,
        sample,
        run.run_date.isoformat(),
    )


def _cut(logs: Mapping[str, Log], run_id: str, pipeline: str) -> dict[str, int]:
    """Return the version of each table when a run had ended: its own newest, or what was there before it ended."""
    found = cut({name: log.entries.values() for name, log in logs.items()}, run_id)
    if not found:
        raise ConfError(f"--at: found no commit of run {run_id!r}; `medallion status {pipeline}` lists the last runs")
    return found


def _is_there(lake: Lake, name: str) -> bool:
    """Tell whether a table's log is there, also one that no reader takes for a table any more."""
    return Path(lake.path(name), "_delta_log").is_dir()


def _pin(lake: Lake, name: str, log: Log, version: int) -> Pin:
    if version != log.newest:
        log = Log(lake.path(name), version)
    try:
        snapshot = log.snapshot(version)
    except (LookupError, OSError, ValueError, KeyError, StopIteration) as error:
        return Pin(name, log, version, problem=f"its log does not tell version {version}: {error}")
    broken = [entry for entry in log.entries.values() if entry.problem]
    if broken:
        return Pin(name, log, version, problem=f"{broken[0].path.name} cannot be read: {broken[0].problem}")
    accounts = [account for _, account in log.accounts()]
    newest = accounts[-1] if accounts else None
    data, good = (newest.data, newest.good) if newest else (version, NO_VERSION)
    of_good = next((a for a in reversed(accounts) if a.good == good and a.data == good), newest)
    return Pin(name, log, version, good, data, snapshot.table_id or "", of_good, newest, snapshot.configuration)


def _inbox(path: Path) -> Waiting | None:
    """Return what an inbox holds, None where there is none."""
    if not path.exists():
        return None
    try:
        with looked_at(path) as connection:
            return Waiting(connection.execute("SELECT key, sha256, received_at, body FROM payloads").fetchall())
    except sqlite3.Error as error:
        return Waiting(problem=str(error))
