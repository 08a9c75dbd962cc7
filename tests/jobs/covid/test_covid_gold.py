import datetime as dt
import math
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from jobs.covid.gold import reported_totals
from jobs.covid.gold.country_counts import country_counts
from jobs.covid.gold.country_metrics import country_metrics
from jobs.covid.gold.country_trends import country_trends
from jobs.covid.gold.global_summary import global_summary
from medallion.gold.aggregate import grouped
from tests.jobs.covid.conftest import DAY_0


def day(after):
    return DAY_0 + dt.timedelta(days=after)


@pytest.fixture
def countries(spark):
    rows = [("Italy", "IT", "ITA", 60_000_000), ("Iceland", "IS", "ISL", 341_250), ("MS Zaandam", None, None, None)]
    return spark.createDataFrame(rows, "country string, iso2 string, iso3 string, population bigint")


@pytest.fixture
def metrics(series, countries):
    return lambda *told: country_metrics(country_counts(series(*told), countries))


def one(frame, country="Italy"):
    return frame.where(F.col("country") == country).orderBy("day").collect()


def trend_of(metrics, *told, threshold=10):
    (found,) = country_trends(metrics(*told), trend_threshold_pct=threshold).collect()
    return found


def daily(country, *new):
    """Return days whose counts grow by these, the first of them the count of the first day."""
    return [(country, after, sum(new[: after + 1])) for after in range(len(new))]


def test_a_reports_totals_are_the_sums_of_its_regions(spark):
    rows = [
        ("Italy", day(0), "Lombardia", 10, 1, None),
        ("Italy", day(0), "Veneto", 5, None, None),
        ("Italy", day(1), "", 20, 2, 3),
        (None, day(1), "", None, None, None),
    ]
    schema = "country string, report_date date, province string, confirmed bigint, deaths bigint, recovered bigint"

    found = (
        grouped(reported_totals.table, spark.createDataFrame(rows, schema))
        .select(*reported_totals.table.columns)
        .collect()
    )

    assert sorted(map(tuple, found), key=str) == [
        ("Italy", day(0), 2, 15, 1, None),
        ("Italy", day(1), 1, 20, 2, 3),
        (None, day(1), 1, None, None, None),
    ]


def test_new_ones_are_the_difference_to_the_day_before(metrics):
    found = one(metrics(("Italy", 0, 10, 1, 2), ("Italy", 1, 25, 4, 2), ("Iceland", 1, 7), ("Iceland", 0, 3)))

    assert [(r.days_since, r.new_confirmed, r.new_deaths, r.new_recovered) for r in found] == [
        (None, None, None, None),
        (1, 15, 3, 0),
    ]
    assert [(r.active, r.is_correction) for r in found] == [(7, False), (19, False)]


def test_after_a_gap_new_ones_cover_the_days_since_the_last_one(metrics):
    found = one(metrics(("Italy", 0, 10), ("Italy", 3, 40), ("Italy", 4, 45)))

    assert [(r.days_since, r.new_confirmed) for r in found] == [(None, None), (3, 30), (1, 5)]
    assert [r.new_confirmed_avg_7d for r in found] == [None, Decimal("10"), Decimal("8.75")]


def test_what_came_in_a_gap_longer_than_a_week_is_spread_over_all_of_it(metrics):
    found = one(metrics(("Italy", 0, 10), ("Italy", 1, 90), ("Italy", 9, 98)))

    assert [r.new_confirmed_avg_7d for r in found] == [None, Decimal("80"), Decimal("1")]


def test_a_correction_downwards_is_flagged_and_left_as_it_is(metrics):
    found = one(metrics(("Italy", 0, 10, 5, 0), ("Italy", 1, 8, 5, 0), ("Italy", 2, 9, 4, 0), ("Italy", 3, 9, 4, 0)))

    assert [(r.new_confirmed, r.new_deaths, r.is_correction) for r in found] == [
        (None, None, False),
        (-2, 0, True),
        (1, -1, True),
        (0, 0, False),
    ]


def test_an_unknown_count_makes_no_new_ones_and_no_correction(metrics):
    found = one(metrics(("Italy", 0, 10), ("Italy", 1, None, None, 0), ("Italy", 2, 30), ("Italy", 3, 34)))

    assert [(r.new_confirmed, r.active, r.case_fatality_pct, r.is_correction) for r in found] == [
        (None, 10, 0, False),
        (None, None, None, False),
        (None, 30, 0, False),
        (4, 34, 0, False),
    ]
    assert [r.new_confirmed_avg_7d for r in found] == [None, None, None, Decimal("4")]


def test_rates_are_rounded_half_up_to_four_decimals(metrics):
    (italy,) = one(metrics(("Italy", 0, 69_176, 6_820, 0)))
    (iceland,) = one(metrics(("Iceland", 0, 7, 1, 0)), "Iceland")
    (ship,) = one(metrics(("MS Zaandam", 0, 9, 2, 0)), "MS Zaandam")
    (none,) = one(metrics(("Italy", 0, 0, 0, 0)))

    assert (italy.confirmed_per_100k, italy.deaths_per_100k) == (Decimal("115.2933"), Decimal("11.3667"))
    assert italy.case_fatality_pct == Decimal("9.8589")
    assert (iceland.confirmed_per_100k, iceland.case_fatality_pct) == (Decimal("2.0513"), Decimal("14.2857"))
    assert (ship.population, ship.confirmed_per_100k, ship.deaths_per_100k) == (None, None, None)
    assert ship.case_fatality_pct == Decimal("22.2222")
    assert (none.confirmed_per_100k, none.case_fatality_pct) == (0, None)


def test_an_average_is_of_the_seven_days_up_to_its_own(metrics):
    new = [100, 1, 2, 3, 4, 5, 6, 7, 8, 10]

    found = one(metrics(*daily("Italy", *new)))

    averages = [r.new_confirmed_avg_7d for r in found]
    assert averages[:3] == [None, Decimal("1"), Decimal("1.5")]
    assert averages[7:] == [Decimal("4"), Decimal("5"), Decimal("6.1429")]


def test_a_world_is_the_sum_of_its_countries(metrics):
    found = global_summary(
        metrics(
            *[("Italy", 0, 10, 1, 2), ("Italy", 1, 30, 2, 2), ("Italy", 2, 40, 5, 9)],
            *[("Iceland", 0, 0, 0, 0), ("Iceland", 2, 8, 0, 0)],  # its second day is missing
        )
    )

    rows = found.orderBy("day").collect()
    assert [(r.day, r.countries_reporting, r.countries_affected) for r in rows] == [
        (day(0), 2, 1),
        (day(1), 1, 1),
        (day(2), 2, 2),
    ]
    assert [(r.confirmed, r.deaths, r.recovered, r.active) for r in rows] == [
        (10, 1, 2, 7),
        (30, 2, 2, 26),
        (48, 5, 9, 34),
    ]
    assert [(r.days_since, r.new_confirmed, r.new_deaths, r.new_recovered) for r in rows] == [
        (None, None, None, None),
        (1, 20, 1, 0),
        (1, 18, 3, 7),
    ]
    assert [r.new_confirmed_avg_7d for r in rows] == [None, Decimal("20"), Decimal("19")]
    assert [r.case_fatality_pct for r in rows] == [Decimal("10"), Decimal("6.6667"), Decimal("10.4167")]


@pytest.mark.parametrize(
    ("last", "expected", "change"),
    [(11, "steady", "10"), (12, "rising", "20"), (9, "steady", "-10"), (8, "falling", "-20"), (-1, "falling", "-110")],
)
def test_a_trend_begins_beyond_the_threshold(metrics, last, expected, change):
    found = trend_of(metrics, *daily("Italy", 100, *[10] * 7, *[last] * 7))

    assert (found.trend, found.change_pct) == (expected, Decimal(change))
    assert (found.new_confirmed_avg_7d, found.new_confirmed_avg_7d_before) == (Decimal(last), Decimal(10))


def test_a_threshold_is_conf_and_compares_what_is_not_rounded(metrics):
    days = daily("Italy", 0, *[70_000] * 7, *[70_000] * 6, 70_049)  # 0.01 percent above

    assert trend_of(metrics, *days, threshold=0.01).trend == "steady"
    assert trend_of(metrics, *days[:-1], (*days[-1][:2], days[-1][2] + 1), threshold=0.01).trend == "rising"


def test_a_trend_from_nothing_is_told_and_from_corrections_is_not(metrics):
    rising = trend_of(metrics, *daily("Italy", 5, *[0] * 7, *[1] * 7))
    steady = trend_of(metrics, *daily("Italy", 5, *[0] * 14))
    corrected = trend_of(metrics, *daily("Italy", 50, *[-1] * 7, *[1] * 7))
    short = trend_of(metrics, *daily("Italy", 5, *[1] * 7))
    single = trend_of(metrics, ("Italy", 0, 5))

    assert [(f.trend, f.change_pct) for f in (rising, steady, corrected, short, single)] == [
        ("rising", None),
        ("steady", None),
        (None, None),
        (None, None),
        (None, None),
    ]


def test_the_peak_is_the_first_of_the_greatest_averages(metrics):
    found = trend_of(metrics, *daily("Italy", 0, 7, 7, 1, 1, 1, 1, 3, 7, 7))

    assert (found.peak_day, found.peak_value) == (day(1), Decimal("7"))
    assert trend_of(metrics, ("Italy", 0, 5)).peak_day is None


def test_the_latest_day_is_the_countrys_own(metrics):
    found = country_trends(
        metrics(("Italy", 0, 50), ("Italy", 2, 80), ("Iceland", 5, 80), ("MS Zaandam", 0, None), ("Norway", 0, 9)),
        trend_threshold_pct=10,
    )

    assert [(r.country, r.latest_day, r.confirmed, r.confirmed_rank) for r in found.orderBy("country").collect()] == [
        ("Iceland", day(5), 80, 1),
        ("Italy", day(2), 80, 1),
        ("MS Zaandam", day(0), None, 4),
        ("Norway", day(0), 9, 3),
    ]


def test_cases_that_double_daily_double_in_a_day(metrics):
    found = trend_of(metrics, *[("Italy", after, 3 * 2**after) for after in range(10)])

    assert found.doubling_days == Decimal("1.00")


def test_doubling_follows_the_best_line_through_the_last_seven_days(metrics):
    confirmed = [1, 1, 1, 0, 100, 130, 150, 190, 210, 280]  # the last seven begin with a day without cases
    points = [(after, math.log(n)) for after, n in enumerate(confirmed) if after >= 3 and n]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)

    found = trend_of(metrics, *[("Italy", after, n) for after, n in enumerate(confirmed)])

    assert found.doubling_days == Decimal(math.log(2) / slope).quantize(Decimal("0.01"))


@pytest.mark.parametrize("confirmed", [[7] * 9, [9, 8, 7], [0, 0, 0], [0, 0, 5], [5], [None, 5], [5, None]])
def test_what_does_not_grow_never_doubles(metrics, confirmed):
    found = trend_of(metrics, *[("Italy", after, n) for after, n in enumerate(confirmed)])

    assert found.doubling_days is None
