"""One run: every table of a pipeline in the order of its graph, independent ones side by side."""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Literal

from medallion import bronze, causes, clock, gold, graph, lock, openlineage, planner, silver
from medallion.conf import Conf
from medallion.errors import ConfError, LakehouseError, LockedError, QualityError, SetupError
from medallion.faults import point
from medallion.lake import Lake, Stored
from medallion.landing import Landing
from medallion.session import Sessions
from medallion.step import Outcome, Run, Step
from medallion.tables import Bronze, Silver, Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 0.2

Listener = Callable[[Outcome | str], None]  # a table's name when it starts, its outcome when it ends


@dataclass
class Report:
    """What a run did: an outcome a table, in the order they ended."""

    pipeline: str
    run_id: str
    environment: str
    started_at: str
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every step did what it was to do."""
        return all(outcome.status in ("done", "skipped") for outcome in self.outcomes)


def prepare(conf: Conf) -> Run:
    """Load and check a pipeline for one run; raises before anything is written if it cannot work."""
    lock.refuse_shared_storage(conf)
    return Run(conf, Lake(conf), clock.new_run_id(), clock.run_date(), graph.load(conf))


def run_step(run: Run, sessions: Sessions, name: str) -> Outcome:
    """Refresh one table and return its outcome; what a person can act on becomes a failed one, not an exception."""
    with openlineage.turn(run, name, sessions) as turn:
        turn.outcome = _run_step(run, sessions, name)
        return turn.outcome


def _run_step(run: Run, sessions: Sessions, name: str) -> Outcome:
    started = time.monotonic()
    table = run.tables[name]
    try:
        with lock.writing(run.conf, name, run.run_id):
            point("run.table_locked")
            step = Step(run, table, lambda: _session(run, sessions, table))
            outcome = _refresh(step, table)
            point("run.table_done")
    except (ConfError, SetupError):  # no other table could do better
        raise
    except LockedError as error:
        outcome = _locked(run, table, error)
    except QualityError as error:
        outcome = Outcome(name, "failed", error=str(error), checks=error.checks)
    except LakehouseError as error:
        outcome = Outcome(name, "failed", error=str(error))
    except Exception as error:  # noqa: BLE001 - a transform may raise anything, and the other tables go on
        outcome = Outcome(name, "failed", error=f"{name}: {told(sessions, name, error)}")
    outcome.seconds = round(time.monotonic() - started, 2)
    _log(outcome)
    return outcome


def _locked(run: Run, table: Table, error: LockedError) -> Outcome:
    """Return the outcome of a table that another process writes: its backfill is no failure of this run."""
    state = run.lake.state(table.name)
    waits = planner.backfilled(run, table, state, {}) if isinstance(table, Silver) else None
    return Outcome(table.name, "skipped", "skip", waits) if waits else Outcome(table.name, "failed", error=str(error))


def run_tables(run: Run, sessions: Sessions, names: Collection[str], *, listen: Listener = lambda _: None) -> Report:
    """Refresh tables in graph order, as many at once as conf allows; what needs a failed one is blocked.

    Raises LockedError where another process runs the pipeline just now and conf says not to wait for it.
    """
    with lock.running(run.conf, run.run_id):
        point("run.pipeline_locked")
        with openlineage.telling(run) as told:
            done = _run_tables(run, sessions, names, listen)
            told.passed = done.passed
        return done


def _run_tables(run: Run, sessions: Sessions, names: Collection[str], listen: Listener) -> Report:
    started = time.monotonic()
    conf = run.conf
    report = Report(conf.name, run.run_id, conf.environment, clock.now().isoformat(timespec="seconds"))
    waits = {name: [up for up in graph.before(conf, run.tables, name) if up in names] for name in names}
    sorter = TopologicalSorter(waits)
    sorter.prepare()
    ended: dict[str, Outcome] = {}
    most = conf.platform.runtime.parallel_jobs
    size_of = cache(lambda name: bytes_to_read(run, name))
    with ThreadPoolExecutor(most) as pool:
        ready: list[str] = []
        working: dict[Future[Outcome], str] = {}
        try:
            while sorter.is_active():
                ready += sorter.get_ready()
                room = most - len(working)
                if len(ready) > room:  # what takes longest is not left to the end, alone
                    ready.sort(key=size_of, reverse=True)
                begun, ready = ready[:room], ready[room:]
                for name in begun:
                    working[pool.submit(_one, run, sessions, name, ended, listen)] = name
                done, _ = wait(working, return_when=FIRST_COMPLETED)
                for future in done:
                    name = working.pop(future)
                    ended[name] = future.result()
                    report.outcomes.append(ended[name])
                    listen(ended[name])
                    sorter.done(name)
        except BaseException:  # interrupted, or unusable conf: nothing that is half done is waited for
            pool.shutdown(wait=False, cancel_futures=True)
            _end(sessions, working)
            raise
    point("run.all_done")
    report.seconds = round(time.monotonic() - started, 2)
    return report


def bytes_to_read(run: Run, name: str) -> int:
    """Return the size of what a table's step reads; 0 where that cannot be told: its own turn says why."""
    try:
        return _input(run, run.tables[name]).bytes
    except Exception:  # noqa: BLE001 - see above
        return 0


def _end(sessions: Sessions, working: Collection[Future[Outcome]]) -> None:
    """End what steps are doing, and what they do next: a step may be between two queries when it is told."""
    left: Collection[Future[Outcome]] = working
    while left:
        sessions.cancel()
        left = wait(left, timeout=_AGAIN_SECONDS).not_done


def blocked_by(run: Run, name: str, ended: Mapping[str, Outcome]) -> Outcome | None:
    """Return a blocked outcome where an upstream table failed in this run, else None."""
    stuck = [up for up in run.tables[name].upstream if up in ended and ended[up].status in ("failed", "blocked")]
    if not stuck:
        return None
    return Outcome(name, "blocked", reason=f"waits for {', '.join(stuck)}")


def _one(run: Run, sessions: Sessions, name: str, ended: Mapping[str, Outcome], listen: Listener) -> Outcome:
    stuck = blocked_by(run, name, ended)
    if stuck:
        return stuck
    if ended and sessions.is_lost():
        return Outcome(name, "blocked", reason="waits for a Spark: the one of this run has ended")
    listen(name)
    return run_step(run, sessions, name)


def _refresh(step: Step, table: Table) -> Outcome:
    if isinstance(table, Bronze):
        return bronze.ingest(step, table)
    if isinstance(table, Silver):
        return silver.refresh(step, table)
    return gold.refresh(step, table)


def told(sessions: Sessions, name: str, error: Exception) -> str:
    """Return in a line what went wrong; with its stack in the log only where it may be the code's own fault."""
    from deltalake.exceptions import DeltaError
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
    from pyspark.errors import PySparkException

    if isinstance(error, (PySparkException, Py4JError)) or sessions.is_lost(error):
        log.debug("%s", name, exc_info=True)
        return f"Spark says: {sessions.explain(error)}"
    if isinstance(error, (*causes.of_the_world(), DeltaError)):
        return causes.told(error)
    log.exception("%s", name)
    return f"{type(error).__name__}: {error}"


def _session(run: Run, sessions: Sessions, table: Table) -> "SparkSession":
    stored = _input(run, table)
    return sessions.fresh(stored.bytes, stored.rows)


def _input(run: Run, table: Table) -> Stored:
    """Return how much a step may read: its inputs and its own table, or what landed, whose rows nobody has counted."""
    if isinstance(table, Bronze):
        landing = Landing(run.conf, table.source)
        return Stored(0, sum(m.bytes for m in landing.after(bronze.consumed(run.lake.state(table.name), table))))
    found = [run.lake.stored(name) for name in (*table.upstream, table.name)]
    return Stored(sum(one.rows for one in found), sum(one.bytes for one in found))


def _log(outcome: Outcome) -> None:
    rows = " ".join(f"{term}={count}" for term, count in outcome.rows.items())
    level: Literal[20, 40] = logging.INFO if outcome.status in ("done", "skipped") else logging.ERROR
    log.log(
        level,
        "%s %s %s %s seconds=%s %s",
        outcome.table,
        outcome.status,
        outcome.technique,
        rows,
        outcome.seconds,
        outcome.error or "",
    )
