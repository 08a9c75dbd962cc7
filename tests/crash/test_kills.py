"""Killed at any point, a day ends as if nothing had happened: nothing lost, nothing twice, nothing stuck."""

import pytest

from tests import figures
from tests.crash import controls, harness
from tests.crash.harness import Kill, Lab, kinds, say
from tests.crash.scenario import DAYS
from tests.crash.stages import STAGES

pytestmark = pytest.mark.slow

SHORT = (
    Kill(0, "post", "inbox.after_store_commit", 3),
    Kill(1, "land", "landing.after_link", 2),
    Kill(0, "run", "commits.after_write", 6),
    Kill(1, "run", "silver.before_commit", 2),
    Kill(0, "sync", "cache.before_replace"),
    Kill(1, "sync", "cache.before_changes_commit"),
)


def test_every_point_is_reached_by_the_harness(lab: Lab) -> None:
    reached = set().union(*lab.reached.values())
    points = {point for point in harness.points() if not point.startswith("maintain.")}  # see test_maintenance

    assert points - reached == set()
    assert reached - points == set()


@pytest.mark.parametrize("kill", SHORT, ids=str)
def test_a_day_ends_as_if_nothing_had_happened(lab: Lab, kill: Kill) -> None:
    assert kill.nth <= lab.reached[kill.day, kill.stage][kill.point]

    assert _survived(lab, kill) == []


def _survived(lab: Lab, kill: Kill) -> list[str]:
    """Kill and take up; return what does not hold."""
    found = lab.survives(kill)
    kind = kinds(found)
    of_the_rest = kind.total() - kind["lost"] - kind["twice"] - kind["stuck"]
    counts = {one: kind[one] for one in ("lost", "twice", "stuck")}
    figures.note("kills at points", kills=1, survived=int(not found), **counts, other=of_the_rest)
    return found


def _all(lab: Lab) -> list[Kill]:
    """Return each point in each stage that reaches it: on day 1 half way through its times, on day 2 the first time."""
    return [
        Kill(day, stage, name, 1 + times // 2 if day == 0 else 1)
        for day in reversed(range(len(DAYS)))
        for stage in STAGES
        for name, times in sorted(lab.reached[day, stage].items())
    ]


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_day_ends_as_if_nothing_had_happened_wherever_it_is_killed(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    problems: dict[str, list[str]] = {}
    kills = _all(lab)
    for number, kill in enumerate(kills, start=1):
        found = _survived(lab, kill)
        if found:
            problems[str(kill)] = found
        with capsys.disabled():
            say(f"{number}/{len(kills)} {kill}: {dict(kinds(found)) or 'survived'}")

    reached = {kill.point for kill in kills}
    survived = reached - {kill.point for kill in kills if str(kill) in problems}
    figures.note("crash points", registered=len(harness.points()), reached=len(reached), survived=len(survived))
    assert reached == set().union(*lab.reached.values())
    assert problems == {}


# Those whose dying run needs no Spark are seen in every test run.
CONTROLS = [
    pytest.param(name, marks=[pytest.mark.soak] if one.stage == "run" else [])
    for name, one in controls.CONTROLS.items()
]


@pytest.mark.parametrize("name", CONTROLS)
def test_the_harness_tells_when_a_protection_is_left_out(lab: Lab, name: str) -> None:
    found = lab.shown_without(name)

    shown = [one for one in found if controls.CONTROLS[name].shows in one]
    figures.control("kills at points", name, red=bool(shown))
    assert shown != [], found
