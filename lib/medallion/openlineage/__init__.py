"""Lineage for whoever gathers it: each run, and each table's turn in it, as events of OpenLineage.

Runs only note what happened; events are made and sent beside them, in a thread. Where that cannot be done the run goes
on as if nobody were to be told, and says so in a line at its end.
"""

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medallion import clock, lineage
from medallion.lineage import Lineage
from medallion.openlineage.events import Events, EventType, new_id
from medallion.openlineage.facets import Json
from medallion.openlineage.transport import Transport
from medallion.session import is_remote
from medallion.step import Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from medallion.session import Sessions

log = logging.getLogger(__name__)

_MOST = 1000  # events that wait to be sent
_LAST_SECONDS = 5.0  # in which what still waits at the end of a run is to be sent
_ENDS: dict[bool | None, EventType] = {True: "COMPLETE", False: "FAIL", None: "ABORT"}
_TRIES = 3  # that may fail, one after the other, before no more are made in a run


@dataclass
class Told:
    """How a run ended, once that is known; None: it was broken off."""

    passed: bool | None = None


@dataclass
class Turn:
    """A table's turn in a run; ``outcome`` is set once it has one."""

    outcome: Outcome | None = None


@contextmanager
def telling(run: Run) -> Iterator[Told]:
    """Tell that a run begins, and how it ended; then wait a moment for what is still to be sent, no longer.

    Within it turns are told; a part of a run that is being told of is no run of its own.
    """
    told = Told()
    if run.conf.platform.openlineage.to is None or run.run_id in _emitters:
        yield told
        return
    emitter = _emitters[run.run_id] = Emitter(run)
    began = clock.stamp()
    emitter.send(lambda events: [events.of_run("START", began)])
    try:
        yield told
    finally:
        ended, kind = clock.stamp(), _ENDS[told.passed]
        emitter.send(lambda events: [events.of_run(kind, ended)])
        del _emitters[run.run_id]
        emitter.end()


@contextmanager
def turn(run: Run, name: str, sessions: "Sessions") -> Iterator[Turn]:
    """Tell of a table's turn: that it begins, and how it ended."""
    found = Turn()
    emitter = _emitters.get(run.run_id)
    if emitter is None:
        yield found
        return
    emitter.sessions = sessions
    began_at, id_ = clock.stamp(), new_id()
    emitter.send(lambda events: [events.of_step("START", began_at, id_, name, None)])
    try:
        yield found
    finally:
        ended_at, outcome = clock.stamp(), found.outcome
        emitter.send(lambda events: _ended(events, ended_at, id_, name, outcome))


def _ended(events: Events, at: str, id_: str, name: str, outcome: Outcome | None) -> list[Json]:
    done = outcome is not None and outcome.status in ("done", "skipped")
    found = [events.of_step("COMPLETE" if done else "FAIL", at, id_, name, outcome)]
    if outcome is not None and outcome.checks:
        gate = new_id()
        kind: EventType = "FAIL" if any(check.stops for check in outcome.checks) else "COMPLETE"
        found += [events.of_gate("START", at, gate, name, outcome), events.of_gate(kind, at, gate, name, outcome)]
    return found


@dataclass
class Emitter:
    """Makes and sends the events of one run, in the order in which they were noted."""

    run: Run
    sessions: "Sessions | None" = None
    _waiting: "queue.Queue[Callable[[Events], list[Json]] | None]" = field(default_factory=lambda: queue.Queue(_MOST))
    _problems: list[str] = field(default_factory=list)
    _failing: int = 0
    _lost: int = 0

    def __post_init__(self) -> None:
        """Start the thread, which keeps no process from ending."""
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
        self._thread.start()

    def send(self, make: "Callable[[Events], list[Json]]") -> None:
        """Have events made and sent, some time; never waits."""
        try:
            self._waiting.put_nowait(make)
        except queue.Full:
            self._lost += 1

    def end(self) -> None:
        """Wait until all is sent, but not for long, and say what was not."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            self._problems.append("it does not keep up")
        self._thread.join(_LAST_SECONDS)
        self._lost += self._waiting.qsize() if self._thread.is_alive() else 0
        if self._lost or self._problems or self._thread.is_alive():
            why = self._problems[0] if self._problems else f"no answer within {_LAST_SECONDS:g} s"
            to = self.run.conf.platform.openlineage.to
            log.warning("openlineage: %s was not told of all this run did: %s", to, why)

    def _work(self) -> None:
        events = Events(self.run, lambda: lineage.known(self.run), self._find)
        transport = Transport(self.run.conf.platform.openlineage, self.run.conf.project)
        while (make := self._waiting.get()) is not None:
            if self._failing >= _TRIES:
                self._lost += 1
                continue
            try:
                for event in make(events):
                    transport.send(event)
                self._failing = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, a run is not to fail by being told of
                self._failing += 1
                self._problems.append(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        transport.close()

    def _find(self, name: str) -> Lineage | None:
        """Return the lineage of a table of a changed definition, by a classic session that is up; without a job."""
        if self.sessions is None or not self.sessions.is_up():
            return None
        session = self.sessions.fresh()
        if is_remote(session):
            return None
        found = lineage.analyse(self.run, session, self.run.tables[name])
        lineage.keep(self.run, lineage.known(self.run) | {name: found})
        return found if found.problem is None else None


_emitters: dict[str, Emitter] = {}  # of the runs that are being told of
