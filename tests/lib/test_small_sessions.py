"""What a step reads decides how its session works: small inputs are interpreted, others compiled."""

from typing import Any

import pyarrow as pa
import pytest

from medallion import run
from medallion.session import Sessions, from_arrow, is_remote
from medallion.small import SMALL_BYTES, SMALL_ROWS
from medallion.spark_conf import EXCLUDED
from tests.lib.conftest import Lab


@pytest.mark.parametrize(
    ("size", "rows", "small"),
    [
        (0, 0, True),
        (SMALL_BYTES - 1, SMALL_ROWS, True),
        (SMALL_BYTES, 0, False),
        pytest.param(0, SMALL_ROWS + 1, False, id="few bytes of many rows"),
    ],
)
def test_an_input_is_small_by_its_bytes_and_its_rows(sessions: Sessions, size: int, rows: int, small: bool) -> None:
    session = sessions.fresh(size, rows)

    assert (session.conf.get("spark.sql.codegen.factoryMode") == "NO_CODEGEN") is small


def test_a_step_is_told_the_rows_of_all_that_it_reads(readings: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    prepared = readings.prepare()
    asked: Any = type("Asked", (), {"fresh": lambda _, *given: told.append(given), "is_lost": lambda *_: False})()

    def refresh(step: Any, table: Any) -> Any:
        step.session  # noqa: B018 - it is opened when it is first asked for
        raise run.LakehouseError("enough")

    monkeypatch.setattr(run, "_refresh", refresh)
    run._run_step(prepared, asked, "lab.silver.readings")
    run._run_step(prepared, asked, "lab.gold.daily")

    # a record and four rows; of gold, which is not there yet, those four
    assert [rows for _, rows in told] == [5, 4]
    assert all(0 < size < SMALL_BYTES for size, _ in told)


@pytest.mark.parametrize(("rows", "planned"), [(3, "LocalRelation"), (100_000, "Project")])
def test_many_rows_that_are_held_are_worked_out_by_tasks_and_few_by_the_planner(
    sessions: Sessions, rows: int, planned: str
) -> None:
    session: Any = sessions.fresh()
    if is_remote(session):
        pytest.skip("only a classic session tells its plans")
    others = "org.apache.spark.sql.catalyst.optimizer.LikeSimplification"
    session.conf.set(EXCLUDED, others)
    held = from_arrow(session, pa.table({"a": range(rows)})).selectExpr("a + 1 AS b")

    plan = held._jdf.queryExecution().optimizedPlan()

    assert str(plan.toString()).split()[0] == planned
    assert session.conf.get(EXCLUDED).startswith(others)
    assert held.agg({"b": "sum"}).collect()[0][0] == rows * (rows + 1) // 2
