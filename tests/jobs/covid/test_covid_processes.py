"""The pipeline as spark-submit runs it: a process of its own, on a temporary lake."""

from pathlib import Path

import pytest

from jobs.covid import sample
from medallion import conf
from medallion.lake import Lake
from medallion.landing import Landing
from tests.jobs.submitting import PROJECT, roots, submit

pytestmark = pytest.mark.slow


def test_spark_submit_runs_the_whole_pipeline(tmp_path: Path) -> None:
    loaded = conf.load("covid", roots(tmp_path / "lake"), PROJECT)
    for delivery in sample.deliveries(0):
        Landing(loaded, delivery.source).deliver(delivery.files)

    code, told = submit("jobs/pipeline.py", "covid", *roots(tmp_path / "lake"))

    assert code == 0, told[-2000:]
    state = Lake(loaded).state("covid.gold.global_summary")
    assert state is not None and state.account is not None
    assert state.account.rows["written"] == sample.HISTORY_DAYS
    assert state.good == state.data
