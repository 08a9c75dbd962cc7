"""Tell people how a flow run ended, by the channels that the platform's conf names; the engine does the telling."""

import logging
from typing import Any, Literal

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.utilities.urls import url_for

from medallion import alerts, conf, ops
from medallion.errors import ConfError, LakehouseError
from medallion.health import Trouble

log = logging.getLogger(__name__)


def notify(occasion: Literal["on_failure", "on_completion"], flow_run: Any, state: State[Any]) -> None:
    """Tell what is wrong or over now, and that the run ended well if it did; where conf names nobody, nobody is told.

    A run that was killed is recorded here, since it could not do that itself.
    """
    parameters = flow_run.parameters
    try:
        loaded = conf.load(parameters["pipeline"], parameters.get("overrides") or [])
    except ConfError as error:  # without conf there is nobody to tell; the run itself failed of the same
        log.warning("%s: not told, since conf cannot be used: %s", occasion, error)
        return
    name = _name(flow_run)
    facts = {
        "flow_run": name,
        "flow_run_id": str(flow_run.id),
        "url": url_for("flow-run", flow_run.id),
        "state": state.name,
        "message": state.message,
    }
    said = f"{name}: {state.name}" + (f": {state.message}" if state.message else "")
    also = _not_recorded(loaded, name, said, crashed=state.is_crashed()) if occasion == "on_failure" else []
    alerts.tell(loaded, also=also, besides=facts)
    if occasion == "on_completion":
        alerts.completed(loaded, said, facts)


def _not_recorded(loaded: conf.Conf, name: str, said: str, *, crashed: bool) -> list[Trouble]:
    """Return a trouble for a run that left no record: one that was killed is recorded, of others only it tells."""
    run_id = name.rpartition(" ")[2]
    if any(run["run_id"] == run_id for run in ops.last_runs(loaded, 5)):
        return []
    try:
        if crashed:
            ops.record_unbegun(loaded, run_id, said)
            return []
    except LakehouseError as error:
        log.warning("%s", error)
    return [Trouble("red", loaded.name, said, f"medallion status {loaded.name}", "failure", "flow")]


def _name(flow_run: Any) -> str:
    """Return a run's name as it is now; what a hook is given is as old as the run's start."""
    try:
        with get_client(sync_client=True) as client:
            return str(client.read_flow_run(flow_run.id).name)
    except httpx.HTTPError:
        return str(flow_run.name)
