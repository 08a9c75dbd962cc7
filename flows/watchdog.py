"""What the server does about a run that nobody speaks for any more: neither its process nor its worker."""

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

NAME = "Runs that went silent have crashed"
SILENCE = timedelta(seconds=200)  # three heartbeats missed: PREFECT_FLOWS_HEARTBEAT_FREQUENCY in flows/__init__.py
_ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}


def make() -> None:
    """Have the server show a run as crashed once its heartbeats stop; else it would be running for ever."""
    automation = AutomationCore(
        name=NAME,
        description="A process that was killed together with its worker cannot tell of its end.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match=ResourceSpecification.model_validate({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *_ENDS},
            within=SILENCE,
            threshold=1,
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed", state=StateType.CRASHED, message="It sent no heartbeat any more.", force=False
            )
        ],
    )
    with get_client(sync_client=True) as client:
        found = client.read_automations_by_name(NAME)
        if found:
            client.update_automation(found[0].id, automation)
        else:
            client.create_automation(automation)
