"""A pipeline as a Prefect flow, made from the same graph as every other way to run it.

One task a table, one a gate; independent tables side by side, each with a session of its own. Retries
stand where the outside is touched, at landing and bronze. Works with no server running.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import BoundedSemaphore, Event
from typing import Any

from prefect import Flow, allow_failure, flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal, UnfinishedRun
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from flows.logs import quieten, tell_in_lines
from flows.notify import notify
from medallion import alerts, clock, conf, graph, lock, openlineage, ops, report, run
from medallion.cache import sync as cache_sync
from medallion.errors import ConfError, LakehouseError, QualityError
from medallion.run import Listener, Report
from medallion.session import Sessions
from medallion.step import Outcome, Run
from medallion.tables import Bronze

tell_in_lines()

Futures = Mapping[str, "Submitted"]


@dataclass(frozen=True)
class Host:
    """What a process may lend to the flows it runs: a Spark that is up already, and somebody who listens."""

    sessions: Sessions
    listen: Listener = lambda _: None


_host: ContextVar[Host | None] = ContextVar("host", default=None)


@dataclass(frozen=True)
class Submitted:
    """What became of a table's turn: of its task, and of the gate behind it, which others wait for."""

    step: PrefectFuture[Outcome]
    gate: PrefectFuture[Outcome]


class Turns:
    """So many tables are at work at once; after the end, no other one begins or is tried again."""

    def __init__(self, most: int) -> None:
        self._slots = BoundedSemaphore(most)
        self._ended = Event()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn, and hold it; raise LakehouseError where the end came first."""
        with self._slots:
            if self._ended.is_set():
                raise LakehouseError("not begun: the run was cancelled")
            yield

    def may_retry(self) -> bool:
        """Return whether what failed may be tried again."""
        return not self._ended.is_set()

    def end(self) -> None:
        """Let nothing begin any more."""
        self._ended.set()


class RunFailedError(LakehouseError):
    """A flow run in which a step failed or a gate did not open; the artifacts say which, and so does ``report``."""

    def __init__(self, told: Report) -> None:
        super().__init__("; ".join(outcome.error for outcome in told.outcomes if outcome.error))
        self.report = told


@contextmanager
def hosted(host: Host) -> Iterator[None]:
    """Have flows that are called within use the host's Spark, and leave it running."""
    token = _host.set(host)
    try:
        yield
    finally:
        _host.reset(token)


@contextmanager
def host_of(loaded: conf.Conf) -> Iterator[Host]:
    """Give the host that this process lends, or a Spark of its own for as long as this lasts."""
    lent = _host.get()
    host = lent or Host(Sessions(loaded))
    try:
        yield host
    finally:
        if lent is None:
            host.sessions.stop()


def tell_failure(flow: Flow[..., Any], flow_run: Any, state: State[Any]) -> None:
    """Tell whoever conf names that a flow run failed or crashed."""
    notify("on_failure", flow_run, state)


def tell_completion(flow: Flow[..., Any], flow_run: Any, state: State[Any]) -> None:
    """Tell whoever conf names that a flow run ended well."""
    notify("on_completion", flow_run, state)


@flow(
    name="pipeline",
    flow_run_name="{pipeline}",
    task_runner=ThreadPoolTaskRunner(),  # type: ignore[arg-type]
    validate_parameters=False,  # conf checks them, with better words
    on_failure=[tell_failure],
    on_crashed=[tell_failure],
    on_completion=[tell_completion],
)
def refresh(
    pipeline: str, overrides: list[str] | None = None, layer: str | None = None, table: str | None = None
) -> Report:
    """Refresh a pipeline, a layer or a table of it, and return what was done.

    Raises:
        ConfError: Conf or parameters that cannot be used; nothing was written.
        LockedError: Another process runs the pipeline just now, and conf says not to wait for it.
        RunFailedError: A step failed or a gate did not open; what does not depend on it went on.
    """
    loaded = conf.load(pipeline, overrides or [])
    if loaded.platform.runtime.dry_run:
        raise ConfError(f"runtime.dry_run: a flow run writes; `medallion plan {pipeline}` says what it would do")
    prepared = run.prepare(loaded)
    names = graph.select(prepared.tables, layer=layer, table=table)
    _name_run(" ".join(filter(None, (pipeline, layer, table, prepared.run_id))))
    with (
        host_of(loaded) as host,
        alerts.recording(loaded, prepared.run_id),
        lock.running(loaded, prepared.run_id),
        openlineage.telling(prepared) as telling,
    ):
        told = _run(prepared, host, names)
        telling.passed = told.passed
    ops.record(prepared, told)
    _publish(told)
    _cache(prepared, told)
    if not told.passed:
        raise RunFailedError(told)
    return told


def _cache(prepared: Run, told: Report) -> None:
    """Bring the pipeline's caches in line, as a task of its own where there are any; also after a run that failed."""
    if not prepared.conf.pipeline.cache.tables:
        return

    @task(name="caches", task_run_name="caches", cache_policy=NO_CACHE, persist_result=False)
    def caches() -> None:
        synced = cache_sync.follow_run(prepared, told)
        failed = [f"{one.table}: {one.error}" for one in synced.tables if one.error] if synced else []
        if failed:
            raise LakehouseError("; ".join(failed))

    state = caches(return_state=True)
    if told.passed:  # else the run's own failure says more
        state.result()


def _name_run(name: str) -> None:
    """Name the flow run for what it refreshes and its run id, by which tables' histories and locks know it."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=name)


def _run(prepared: Run, host: Host, names: Sequence[str]) -> Report:
    """Run the tasks of these tables and gather their outcomes."""
    started_at = clock.now()
    turns = Turns(prepared.conf.platform.runtime.parallel_jobs)
    futures: dict[str, Submitted] = {}
    try:
        bronze = [name for name in names if isinstance(prepared.tables[name], Bronze)]
        bronze.sort(key=lambda name: run.bytes_to_read(prepared, name), reverse=True)
        for name in dict.fromkeys([*bronze, *names]):  # upstream first, so that what a table waits for is known
            futures[name] = _submit(prepared, host, name, futures, turns)
        outcomes = [_outcome(name, future) for name, future in futures.items()]
    except (TerminationSignal, KeyboardInterrupt):
        turns.end()
        quieten()
        raise
    return Report(
        prepared.conf.name,
        prepared.run_id,
        prepared.conf.environment,
        started_at.isoformat(timespec="seconds"),
        outcomes,
        round((clock.now() - started_at).total_seconds(), 2),
    )


def _submit(prepared: Run, host: Host, name: str, futures: Futures, turns: Turns) -> Submitted:
    """Submit a table's task and its gate's, behind the gates of what it reads."""
    runtime = prepared.conf.platform.runtime
    touches_outside = isinstance(prepared.tables[name], Bronze)
    reads = prepared.tables[name].upstream
    upstream: list[Any] = [futures[up].gate for up in reads if up in futures]
    short = name.partition(".")[2]  # the flow run tells the pipeline
    looked_at = [n for n in graph.before(prepared.conf, prepared.tables, name) if n in futures and n not in reads]
    upstream += [allow_failure(futures[n].gate) for n in looked_at]  # by its expectations, which judge by what there is

    @task(
        name=name,
        task_run_name=short,
        retries=runtime.retries if touches_outside else 0,
        retry_delay_seconds=runtime.retry_delay_seconds,
        retry_condition_fn=lambda *_: turns.may_retry(),  # a bound method would be taken for no
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def table_task() -> Outcome:
        with turns.take():
            host.listen(name)
            outcome = run.run_step(prepared, host.sessions, name)
        host.listen(outcome)
        if outcome.status == "failed" and not outcome.checks:
            raise LakehouseError(str(outcome.error))
        return outcome

    @task(name=f"gate {name}", task_run_name=f"gate {short}", cache_policy=NO_CACHE, persist_result=False)
    def gate_task(outcome: Outcome) -> Outcome:
        if outcome.status == "failed":
            raise QualityError(str(outcome.error))
        return outcome

    done = table_task.submit(wait_for=upstream)  # type: ignore[call-overload]  # its overloads forget this one
    return Submitted(done, gate_task.submit(done))


def _outcome(name: str, submitted: Submitted) -> Outcome:
    """Wait for a table's gate and return the step's outcome, or what stands for one where it failed or never ran."""
    submitted.gate.wait()
    try:
        found: Any = submitted.step.result(raise_on_failure=False)
    except UnfinishedRun:  # its upstream failed, so it was never begun
        return Outcome(name, "blocked", reason="waits for an upstream that failed")
    return found if isinstance(found, Outcome) else Outcome(name, "failed", error=str(found))


def _publish(told: Report) -> None:
    """Leave the result and the quality as artifacts of the flow run."""
    key = told.pipeline.replace("_", "-")
    run_id = f"run {told.run_id}"
    create_markdown_artifact(report.as_markdown(told), key=f"{key}-report", description=f"Report of {run_id}")
    quality = report.quality_rows(told) or [{"table": "no expectation was evaluated"}]
    create_table_artifact(quality, key=f"{key}-quality", description=f"Expectations in {run_id}")
    create_table_artifact(report.table_rows(told), key=f"{key}-tables", description=f"Tables in {run_id}")
