"""How many Spark jobs each kind of step takes on the sample shop: what a small run costs is little else."""

from typing import Any

import pytest

from medallion import conf as conf_door
from medallion import feed, run
from medallion.session import Sessions
from tests.acceptance import tracing
from tests.conftest import LAYERS, PROJECT, Lakehouse

Taken = dict[str, tuple[str, tuple[int, int]]]  # of a table: its kind of step, and jobs and stages

# Kind of step -> at most so many jobs and stages, whichever the table. Raise one only for a reason; what moved in a
# lookup takes a silver step a job of its own, which spares it several more where nothing did.
FIRST_LOAD = {
    "bronze append": (2, 1),
    "silver full": (12, 16),
    "gold full": (8, 21),
}
SECOND_DAY = {
    "bronze append": (4, 7),
    "silver affected_keys": (23, 38),
    "gold full": (8, 26),
}


@pytest.fixture(scope="module")
def worked(sessions: Sessions, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lakehouse, list[Taken]]:
    """A shop after two days and a run without news, and what each of the three runs took."""
    root = tmp_path_factory.mktemp("shop")
    places = [f"storage.{layer}.root={root / layer}" for layer in LAYERS]
    lake = Lakehouse(conf_door.load("shop", [*places, "runtime.parallel_jobs=1"], PROJECT), sessions)
    taken = []
    for day in (0, 1, None):
        if day is not None:
            feed.sample(lake.conf, day, {"orders": 60})
        taken.append(spark_jobs(lake))
    return lake, taken


@pytest.mark.slow
def test_a_step_takes_no_more_spark_jobs_than_its_kind_may(
    worked: tuple[Lakehouse, list[Taken]], request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--connect"):
        pytest.skip("jobs are counted by the Spark context, which a Connect session does not have")
    *days, nothing_new = worked[1]

    for most, taken in zip((FIRST_LOAD, SECOND_DAY), days, strict=True):
        assert {kind for kind, _ in taken.values()} == set(most)
        above = {
            table: (kind, found, most[kind])
            for table, (kind, found) in taken.items()
            if found[0] > most[kind][0] or found[1] > most[kind][1]
        }
        assert not above
    assert {found for _, found in nothing_new.values()} == {(0, 0)}


@pytest.mark.slow
def test_random_rows_are_made_of_the_payloads_that_a_trace_finds(worked: tuple[Lakehouse, list[Taken]]) -> None:
    found = tracing.differences(worked[0])

    assert len(found) == 15
    assert not any(found.values())


def spark_jobs(lake: Lakehouse) -> Taken:
    """Run the pipeline and return each table's kind of step, and how many jobs and stages it took."""
    context = lake.sessions.start().sparkContext
    prepared = run.prepare(lake.conf)
    group = f"{prepared.run_id} {{}}"

    def begin(told: Any) -> None:
        if isinstance(told, str):
            context.setJobGroup(group.format(told), told)

    report = run.run_tables(prepared, lake.sessions, list(prepared.tables), listen=begin)
    assert report.passed
    taken = {}
    for outcome in report.outcomes:
        jobs = context.statusTracker().getJobIdsForGroup(group.format(outcome.table))
        infos = [context.statusTracker().getJobInfo(job) for job in jobs]
        stages = sum(len(info.stageIds) for info in infos if info)
        layer = outcome.table.split(".")[1]
        taken[outcome.table] = (f"{layer} {outcome.technique}", (len(jobs), stages))
    return taken
