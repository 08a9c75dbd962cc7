"""What a deployment in prefect.yaml takes from conf, so that nothing is said twice."""

from pathlib import Path
from typing import Any

from medallion import conf
from medallion.errors import ConfError

FILE = "prefect.yaml"
_STEP = "flows.deployment.from_conf"
_MAINTAINS = "flows.deployment.of_maintenance"
_COLLISIONS = {"refuse": "CANCEL_NEW", "wait": "ENQUEUE"}


def from_conf(pipeline: str) -> dict[str, Any]:
    """Return a pipeline's description, its schedule if it has one, its project, and what becomes of a second run.

    A build step of prefect.yaml. Whether the second run waits is what ``runtime.on_locked`` says.
    """
    loaded = conf.load(pipeline)
    schedule = loaded.pipeline.schedule
    return {
        "description": loaded.pipeline.description,
        "project": str(loaded.project),
        "collision_strategy": _COLLISIONS[loaded.platform.runtime.on_locked],
        **({"cron": schedule.cron, "zone": schedule.zone} if schedule else {}),
    }


def of_maintenance(pipeline: str) -> dict[str, Any]:
    """Return the same for the deployment that maintains a pipeline: its schedule is the platform's."""
    loaded = conf.load(pipeline)
    schedule = loaded.platform.maintenance
    return {"project": str(loaded.project), "cron": schedule.cron, "zone": schedule.zone}


def check(project: Path) -> None:
    """Raise ConfError where prefect.yaml cannot be used, or does not fit the pipelines' conf."""
    import yaml

    try:
        deployments = yaml.safe_load((project / FILE).read_text())["deployments"]
        names = [_checked(deployment, project) for deployment in deployments if not _maintains(deployment)]
    except (OSError, yaml.YAMLError) as error:
        raise ConfError(f"{FILE}: cannot be read: {error}") from None
    except (LookupError, TypeError, AttributeError):
        raise ConfError(
            f"{FILE}: wanted `deployments`, each with name, schedules, parameters.pipeline and build: {_STEP}"
        ) from None
    for name in conf.pipelines(project):
        if name not in names and conf.load(name, project=project).pipeline.schedule:
            raise ConfError(f"{FILE}: found no deployment {name}; wanted one, for conf gives it a schedule")


def _maintains(deployment: dict[str, Any]) -> bool:
    """Tell whether a deployment maintains a pipeline; raises ConfError where it names two."""
    asked = deployment["build"][0].get(_MAINTAINS)
    if asked is None:
        return False
    name, run = str(deployment["name"]), deployment["parameters"]["pipeline"]
    if (name, asked["pipeline"]) != (f"{run}-maintenance", run):
        raise ConfError(
            f"{FILE}: deployment {name}: found parameters of {run} and conf of {asked['pipeline']}; wanted "
            f"{run}-maintenance, and {run} for both"
        )
    return True


def _checked(deployment: dict[str, Any], project: Path) -> str:
    """Return a deployment's name, which must be its pipeline's throughout; it has a schedule if conf has one."""
    name = str(deployment["name"])
    where = f"{FILE}: deployment {name}"
    run, asked = deployment["parameters"]["pipeline"], deployment["build"][0][_STEP]["pipeline"]
    if (run, asked) != (name, name):
        raise ConfError(f"{where}: found parameters of {run} and conf of {asked}; wanted {name} for both")
    has_schedule = conf.load(name, project=project).pipeline.schedule is not None
    if has_schedule and not deployment["schedules"]:
        raise ConfError(f"{where}: schedules: found none; wanted what the other deployments have, for conf has one")
    if deployment["schedules"] and not has_schedule:
        raise ConfError(f"{where}: schedules: found one; wanted [], for conf/pipelines/{name}.yaml has none")
    return name
