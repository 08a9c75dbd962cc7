"""Tell people how a flow run ended, by the webhook that the platform's conf refers to."""

import logging
from typing import Any, Literal

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.utilities.urls import url_for

from medallion import conf
from medallion.errors import ConfError

log = logging.getLogger(__name__)


def notify(occasion: Literal["on_failure", "on_completion"], flow_run: Any, state: State[Any]) -> None:
    """Post what happened as JSON; where conf names nobody, nobody is told.

    A webhook that cannot be reached is logged without its address, which may be a secret.
    """
    parameters = flow_run.parameters
    try:
        platform = conf.load(parameters["pipeline"], parameters.get("overrides") or []).platform
    except ConfError as error:  # without conf there is nobody to tell; the run itself failed of the same
        log.warning("%s: not told, since conf cannot be used: %s", occasion, error)
        return
    webhook = getattr(platform.notifications, occasion)
    if webhook is None:
        return
    name = _name(flow_run)
    message = {
        "text": f"{name}: {state.name}" + (f": {state.message}" if state.message else ""),  # what chats show
        "pipeline": parameters["pipeline"],
        "flow_run": name,
        "flow_run_id": str(flow_run.id),
        "url": url_for("flow-run", flow_run.id),
        "state": state.name,
        "message": state.message,
    }
    said = logging.getLogger("httpx")  # whose every request is told with its address
    said.addFilter(_nothing)
    try:
        httpx.post(webhook.reveal(), json=message, timeout=10).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("%s: could not be told: %s", occasion, type(error).__name__)
    finally:
        said.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    return False


def _name(flow_run: Any) -> str:
    """Return a run's name as it is now; what a hook is given is as old as the run's start."""
    try:
        with get_client(sync_client=True) as client:
            return str(client.read_flow_run(flow_run.id).name)
    except httpx.HTTPError:
        return str(flow_run.name)
