"""prefect.yaml beside conf: what is said in one is not said otherwise in the other."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows import deployment
from medallion.conf import Conf, pipelines
from medallion.errors import ConfError
from tests.flows.sensors import CONF, modules

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sensors(project: Callable[..., Conf], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with one pipeline and its deployment, both sound."""
    folder = project("sensors", modules("sensors"), CONF).project
    first, _, rest = (PROJECT / "prefect.yaml").read_text().partition("  - name: activity")
    first += "  - name: shop-maintenance" + rest.partition("  - name: shop-maintenance")[2].partition("  - name:")[0]
    (folder / "prefect.yaml").write_text(first.replace("shop", "sensors"))
    monkeypatch.setenv("MEDALLION_HOME", str(folder))
    return folder


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_every_pipeline_of_this_project_is_deployed_as_its_conf_says() -> None:
    deployment.check(PROJECT)

    deployed = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
    known = pipelines(PROJECT)
    assert {one["name"] for one in deployed} == {*known, *(f"{name}-maintenance" for name in known)}


def test_prefect_yaml_names_no_place_and_no_time() -> None:
    text = (PROJECT / "prefect.yaml").read_text()

    assert "{{ conf.cron }}" in text and "{{ conf.zone }}" in text and "{{ conf.project }}" in text
    assert str(PROJECT) not in text


def test_deployment_takes_schedule_and_project_from_conf(sensors: Path) -> None:
    assert deployment.from_conf("sensors") == {
        "description": "Readings of a few sensors",
        "project": str(sensors),
        "cron": "15 4 * * 1",
        "zone": "Asia/Tokyo",
        "collision_strategy": "CANCEL_NEW",
    }


def test_second_run_waits_where_conf_says_so(sensors: Path) -> None:
    change(sensors / "conf/platform/dev.yaml", "on_locked: refuse", "on_locked: wait")

    assert deployment.from_conf("sensors")["collision_strategy"] == "ENQUEUE"


def test_sound_deployment_is_accepted(sensors: Path) -> None:
    deployment.check(sensors)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{pipeline: sensors, over", "{pipeline: shop, over", "found parameters of shop and conf of sensors; wanted"),
        ("id: conf, pipeline: sensors", "id: conf, pipeline: shop", "found parameters of sensors and conf of shop"),
        ("<<: *pipeline", "<<: *pipeline\n    schedules: []", "deployment sensors: schedules: found none; wanted"),
        ("build:", "builds:", "wanted `deployments`, each with name, schedules"),
        ("deployments:", "deployment:", "wanted `deployments`, each with name"),
        ("pull:", "pull: [", "prefect.yaml: cannot be read"),
    ],
)
def test_deployment_that_does_not_fit_is_refused(sensors: Path, old: str, new: str, said: str) -> None:
    change(sensors / "prefect.yaml", old, new)

    with pytest.raises(ConfError) as refused:
        deployment.check(sensors)

    assert said in str(refused.value)


def test_schedule_without_one_in_conf_is_refused(sensors: Path) -> None:
    change(sensors / "conf/pipelines/sensors.yaml", "schedule: {cron: 15 4 * * 1, zone: Asia/Tokyo}\n", "")

    with pytest.raises(ConfError, match=r"schedules: found one; wanted \[\], for conf/pipelines/sensors.yaml has none"):
        deployment.check(sensors)


def test_scheduled_pipeline_without_deployment_is_refused(sensors: Path) -> None:
    shutil.copy(sensors / "conf/pipelines/sensors.yaml", sensors / "conf/pipelines/others.yaml")

    with pytest.raises(ConfError, match="found no deployment others; wanted one"):
        deployment.check(sensors)
