"""Runs that are pinned: all tables as the run left them stay readable until a day; tables say so in properties.

``medallion.pin.<run>`` is ``<version> until <day>``. A pin is there as soon as one table says it: of a table that does
not say it yet the version is looked up, so that one which was cut short holds as much as a whole one.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medallion import clock, commits, lock
from medallion.account import NO_VERSION
from medallion.audit.log import Log
from medallion.audit.pins import Pinned
from medallion.errors import ConfError, HistoryError, LakehouseError, some
from medallion.session import Sessions
from medallion.step import Run
from medallion.trace.versions import cut

PROPERTY = "medallion.pin."


@dataclass(frozen=True)
class RunPin:
    """A run that is kept until a day, that day included, with the version of each table; ``said_by`` so many tables."""

    run_id: str
    until: dt.date
    versions: Mapping[str, int]
    said_by: int

    @property
    def has_expired(self) -> bool:
        """Whether its day has passed."""
        return clock.run_date() > self.until


def of(pinned: Pinned) -> list[RunPin]:
    """Return the pins that tables' properties tell of, those that have expired too; the one that ends first first."""
    told: dict[str, dict[str, tuple[int, dt.date]]] = {}
    for pin in pinned.every():
        for name, value in pin.configuration.items():
            if name.startswith(PROPERTY):
                told.setdefault(name.removeprefix(PROPERTY), {})[pin.name] = _told(pin.name, value)
    logs = {pin.name: pin.log for pin in pinned.every()}
    found = [_pin(run_id, said, logs) for run_id, said in told.items()]
    return sorted(found, key=lambda one: (one.until, one.run_id))


def told(properties: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the runs that properties of tables say are pinned, and until when."""
    said = [(name, value) for one in properties for name, value in one.items() if name.startswith(PROPERTY)]
    return {name.removeprefix(PROPERTY): value.partition(" until ")[2] for name, value in said}


def _pin(run_id: str, said: Mapping[str, tuple[int, dt.date]], logs: Mapping[str, Log]) -> RunPin:
    looked_up = cut({name: log.entries.values() for name, log in logs.items()}, run_id)
    versions = {name: version for name, version in looked_up.items() if version != NO_VERSION}
    versions |= {name: version for name, (version, _) in said.items()}
    return RunPin(run_id, max(until for _, until in said.values()), versions, len(said))


def _told(name: str, value: str) -> tuple[int, dt.date]:
    version, _, until = value.partition(" until ")
    try:
        return int(version), dt.date.fromisoformat(until)
    except ValueError:
        raise HistoryError(
            f"{name}: property {PROPERTY}*: found {value!r}; wanted <version> until <day>, as `medallion pin` writes it"
        ) from None


def place(run: Run, pinned: Pinned, sessions: Sessions, run_id: str, until: dt.date) -> RunPin:
    """Pin every table as a run left it; raises HistoryError where something of that is gone already.

    Raises ConfError where no table has a commit of that run, or the day has passed.
    """
    if until < clock.run_date():
        raise ConfError(f"--until: found {until}, which has passed; wanted today or a later day")
    logs = {pin.name: pin.log for pin in pinned.every()}
    found = cut({name: log.entries.values() for name, log in logs.items()}, run_id)
    if not found:
        name = run.conf.name
        raise ConfError(f"{name}: found no commit of run {run_id!r}; `medallion status {name}` lists the last runs")
    versions = {name: version for name, version in found.items() if version != NO_VERSION}
    gone = [told for name, version in versions.items() if (told := _gone(name, logs[name], version))]
    if gone:
        raise HistoryError(f"{run.conf.name}: run {run_id} cannot be kept whole: {some(gone)}; wanted a later run")
    wanted = RunPin(run_id, until, versions, len(versions))
    known = {name: {PROPERTY + run_id: f"{version} until {until}"} for name, version in versions.items()}
    _note(run, sessions, {pin.name: known[pin.name] for pin in pinned.every() if pin.name in known})
    return wanted


def lift(run: Run, pinned: Pinned, sessions: Sessions, run_ids: Iterable[str]) -> None:
    """Take pins away; raises ConfError for a run that is not pinned."""
    wanted = set(run_ids)
    unknown = wanted - {one.run_id for one in of(pinned)}
    if unknown:
        raise ConfError(
            f"{run.conf.name}: {some(sorted(unknown))} is not pinned; `medallion pins {run.conf.name}` lists what is"
        )
    names = {PROPERTY + run_id for run_id in wanted}
    said = {pin.name: dict.fromkeys(names & pin.configuration.keys()) for pin in pinned.every()}
    _note(run, sessions, {name: gone for name, gone in said.items() if gone})


def _note(run: Run, sessions: Sessions, properties: Mapping[str, Mapping[str, str | None]]) -> None:
    with lock.running(run.conf, run.run_id):
        for name, sets in properties.items():
            with lock.writing(run.conf, name, run.run_id):
                state = run.lake.state(name)
                if state is None or state.account is None or state.foreign:
                    raise LakehouseError(
                        f"{name}: its newest commit is not of this engine; `medallion run {run.conf.name}` takes it in"
                    )
                account = state.account.carried_on(run.run_id, "pin", " ".join(sorted(sets)))
                target = commits.Target(name, state, commits.CURATED)
                commits.note(run.lake, target, sessions.fresh(), account, sets)


def _gone(name: str, log: Log, version: int) -> str | None:
    """Say what of a version is not there any more."""
    try:
        files = log.snapshot(version).files.values()
    except (LookupError, StopIteration):
        return f"{name} version {version} is not in its log"
    lacking = [file.path for file in files if not Path(log.folder, file.path).is_file()]
    return f"{name} version {version} lacks {len(lacking)} of its files" if lacking else None
