"""The SQL checks return nothing where all is well, and the fault where there is one."""

import datetime as dt
import re
from pathlib import Path

COVID = Path(__file__).parents[3] / "jobs" / "covid"
DAY = dt.date(2020, 3, 1)
NEXT = dt.date(2020, 3, 2)


def find(spark, check, **tables):
    """Return what a check finds in tables given as layer__table=(rows, schema)."""
    for name, (rows, schema) in tables.items():
        spark.createDataFrame(rows, schema).createOrReplaceTempView(f"covid_{name}")
    text = re.sub(r"\b(covid_\w+)\.(\w+)", r"\1__\2", (COVID / check).read_text())
    return sorted((tuple(row) for row in spark.sql(text).collect()), key=str)


def test_a_report_that_does_not_add_up_is_found(spark):
    found = find(
        spark,
        "gold/checks/reported_totals.adds_up.sql",
        silver__region_days=(
            [("mon", 5), ("mon", None), ("tue", 1), ("wed", 2), ("wed", 2), ("thu", None)],
            "report_date string, confirmed int",
        ),
        gold__reported_totals=(
            [("mon", 2, 5), ("wed", 1, 4), ("thu", 1, None), ("fri", 1, 1)],
            "report_date string, regions int, confirmed int",
        ),
    )

    assert found == [("fri", None, 1), ("tue", 1, None), ("wed", 4, 4)]


def test_a_country_whose_new_ones_do_not_lead_to_its_count_is_found(spark):
    days = [
        *[("sound", DAY, 5), ("sound", NEXT, 9)],
        *[("other sum", DAY, 5), ("other sum", NEXT, 9)],
        *[("a day less", DAY, 5), ("a day less", NEXT, 5)],
        ("single", DAY, 5),
        ("lacking", DAY, 5),
    ]
    metrics = [
        *[("sound", None), ("sound", 4)],
        *[("other sum", None), ("other sum", 5)],
        ("a day less", None),
        ("single", None),
        ("extra", None),
    ]

    found = find(
        spark,
        "gold/checks/country_metrics.adds_up.sql",
        silver__country_days=(days, "country string, day date, confirmed int"),
        gold__country_metrics=(metrics, "country string, new_confirmed int"),
    )

    assert [row[0] for row in found] == ["a day less", "extra", "lacking", "other sum"]


def test_a_day_of_the_world_that_does_not_add_up_is_found(spark):
    days = [(DAY, 5, 1), (DAY, 4, None), (NEXT, 9, 2)]

    def check(*world):
        return find(
            spark,
            "gold/checks/global_summary.adds_up.sql",
            silver__country_days=(days, "day date, confirmed int, deaths int"),
            gold__global_summary=(list(world), "day date, confirmed int, deaths int"),
        )

    assert check((DAY, 9, 1), (NEXT, 9, 2)) == []
    assert check((DAY, 9, 1), (NEXT, 9, 3)) == [(NEXT, 9, 9)]
    assert check((DAY, 8, 1)) == [(DAY, 9, 8), (NEXT, 9, None)]
