"""A run of a deployment, started from a terminal and followed to its end: a line a table, then how it ended."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    LogFilter,
    LogFilterFlowRunId,
    LogFilterTimestamp,
)
from prefect.client.schemas.objects import FlowRun, Log, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for

from medallion.errors import ConfError, LakehouseError

POLL_SECONDS = 1.0
INTERRUPTED = 130
_STRAGGLERS = timedelta(seconds=20)  # a process sends its lines in batches, later than their time
_LIMITED = "Deployment concurrency limit reached."  # Prefect's words


def main(arguments: Sequence[str]) -> int:
    """Start a run of a pipeline's deployment, follow it, and return 0 if it completed, else 1.

    Raises:
        ConfError: There is no such deployment.
        LakehouseError: The server went away.
    """
    given = _parser().parse_intermixed_args(arguments)
    try:
        with get_client(sync_client=True) as client:
            run_id = _start(client, given)
            try:
                return _follow(client, run_id)
            except KeyboardInterrupt:
                sys.stderr.write(f"the run goes on; to end it: flow-run cancel {run_id}\n")
                return INTERRUPTED
    except httpx.HTTPError as error:
        raise LakehouseError(f"the Prefect server went away ({type(error).__name__}); a run goes on for now") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prefect_local.py run", description=__doc__)
    parser.add_argument("pipeline")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--layer", help="this layer only: bronze, silver or gold")
    part.add_argument("--table", help="this table only: LAYER.TABLE")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="conf for this run")
    return parser


def _start(client: SyncPrefectClient, given: argparse.Namespace) -> UUID:
    name = f"pipeline/{given.pipeline}"
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound:
        raise ConfError(f"{name}: no such deployment on the server; bring it up to date: make deploy") from None
    parameters = {key: getattr(given, key) for key in ("layer", "table", "overrides") if getattr(given, key)}
    run = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
    _say(f"run {run.id}: {url_for(run) or run.name}")
    return run.id


def _follow(client: SyncPrefectClient, run_id: UUID) -> int:
    """Tell what a run does until it ends; return the exit code."""
    told, shown = "", set[UUID]()
    latest: datetime | None = None
    while True:
        run = client.read_flow_run(run_id)  # before its lines: none comes after the end
        state = run.state
        for line in _lines(client, run_id, latest - _STRAGGLERS if latest else None):
            if line.id not in shown:
                shown.add(line.id)
                latest = max(latest or line.timestamp, line.timestamp)
                _say(f"{line.timestamp.astimezone():%H:%M:%S} {line.message}")
        if state and state.name != told:
            told = str(state.name)
            _say(_said(client, run, state))
        if state and state.is_final():
            return 0 if state.is_completed() else 1
        time.sleep(POLL_SECONDS)


def _lines(client: SyncPrefectClient, run_id: UUID, since: datetime | None) -> Iterator[Log]:
    """Yield the engine's lines of a run; Prefect's own say nothing more."""
    timestamp = LogFilterTimestamp.model_validate({"after_": since})
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id]), timestamp=timestamp)
    return (line for line in client.read_logs(wanted, limit=200) if line.name.startswith("medallion"))


def _said(client: SyncPrefectClient, run: FlowRun, state: State[Any]) -> str:
    """Return a state as a line; a run that finds another of its deployment at work is told which."""
    held = state.name == "AwaitingConcurrencySlot" or state.message == _LIMITED
    others = _at_work(client, run) if held else None
    hint = "no worker has taken it up yet; start one: make worker" if state.name == "Late" else None
    message = (state.message or "").rstrip(".")
    return ": ".join(filter(None, (run.name, state.name, message, others, hint)))


def _at_work(client: SyncPrefectClient, run: FlowRun) -> str:
    """Name the runs of a run's deployment that are at work."""
    found = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId.model_validate({"any_": [run.deployment_id]})),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))
        ),
    )
    return "at work is " + ", ".join(str(other.name) for other in found if other.id != run.id)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
