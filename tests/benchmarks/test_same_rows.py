import datetime as dt
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from benchmarks import lakes, same_rows, shop_data, shop_script
from medallion import run
from medallion.session import Sessions

ROWS = "key int, first string, second string"


@pytest.mark.parametrize(
    "others",
    [
        [(1, "a", None), (2, None, "c")],  # a value that differs
        [(1, "a", None), (2, "b", None)],  # a value that moved to another column
        [(1, "a", None)],
        [(1, "a", None), (2, None, "b"), (2, None, "b")],
    ],
)
def test_other_rows_have_other_content(spark: SparkSession, others: list[tuple[object, ...]]) -> None:
    rows = [(1, "a", None), (2, None, "b")]

    content = same_rows.content(spark.createDataFrame(rows, ROWS))

    assert same_rows.content(spark.createDataFrame(others, ROWS)) != content
    assert same_rows.content(spark.createDataFrame(rows[::-1], ROWS)) == content


@pytest.mark.soak  # the benchmark itself ends where they differ
def test_script_and_engine_make_the_same_tables(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDALLION_NOW", lakes.NOW)
    data, landing, engine, script = (tmp_path / name for name in ("data", "landing", "engine", "script"))
    shop_data.write(4000, data)  # with dirt of every kind
    spark = sessions.fresh()

    for day in (0, 1):
        lakes.land(landing, data, day)
        prepared = run.prepare(lakes.conf_of(landing, engine))
        report = run.run_tables(prepared, sessions, list(prepared.tables))
        shop_script.refresh(shop_script.load(spark, data, script, day, dt.date(2026, 1, 30)))

        assert report.passed
        by_engine, by_script = same_rows.of_engine(spark, engine), same_rows.of_script(spark, script)
        assert by_engine == by_script
        assert len(by_script) == 15
        assert all(content.rows > 0 for content in by_script.values())
        assert quarantined(report.outcomes)


def quarantined(outcomes: list[run.Outcome]) -> bool:
    return any(outcome.rows.get("quarantined", 0) > 0 for outcome in outcomes)
