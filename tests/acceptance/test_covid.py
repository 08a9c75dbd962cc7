"""Real reports and extracts of COVID-19: every figure equals plain Python's, in any order of arrival."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import functions as F

from medallion import conf as conf_door
from medallion.lake import Lake
from medallion.landing import Landing
from medallion.views import show
from tests.acceptance import covid_plain as plain
from tests.acceptance import tracing
from tests.acceptance.accounting import require_balanced, require_passed
from tests.conftest import LAYERS, PROJECT, Lakehouse
from tests.gold import compare

MARCH, OCTOBER = dt.date(2020, 3, 29), dt.date(2020, 10, 23)
COUNTRY_DAYS = "covid.silver.country_days"
COUNTS = ("confirmed", "deaths", "recovered")
THRESHOLD_PCT = 10

Extracts = dict[dt.date, bytes]


@pytest.fixture(scope="module")
def reports(real_data: Path) -> Path:
    return real_data / "csse_covid" / "daily_reports"


@pytest.fixture(scope="module")
def extracts(real_data: Path) -> Extracts:
    """The extract of October, and one of March made of the wide series: countries' sums, as they stood then."""
    october = real_data / "datasets_covid19" / "countries-aggregated_2020-10-23.csv"
    march = plain.extract_of(plain.wide_series(real_data / "csse_covid" / "time_series_2020-04"))
    return {MARCH: march, OCTOBER: october.read_bytes()}


@pytest.fixture(scope="module")
def series(extracts: Extracts) -> dict[dt.date, plain.Series]:
    return {day: plain.series_of(content) for day, content in extracts.items()}


@pytest.fixture(scope="module")
def populations(real_data: Path) -> dict[str, int]:
    return plain.populations(real_data / "csse_covid" / "UID_ISO_FIPS_LookUp_Table.csv")


@pytest.fixture(scope="module")
def lake_with(tmp_path_factory, sessions) -> Callable[..., Lakehouse]:
    """A factory of lakes to which files were delivered one by one and taken in, in as many runs as there are lists."""

    def make(*runs: list[tuple[str, str, bytes]], tables: tuple[str, ...] = ()) -> Lakehouse:
        root = tmp_path_factory.mktemp("covid")
        roots = [f"storage.{layer}.root={root / layer}" for layer in LAYERS]
        lake = Lakehouse(conf_door.load("covid", roots, PROJECT), sessions)
        for files in runs:
            for source, name, content in files:
                Landing(lake.conf, source).deliver([(name, content)])
            with compare.incremental():
                require_passed(lake.run(*tables))
        return lake

    return make


def extract_files(extracts: Extracts, *days: dt.date) -> list[tuple[str, str, bytes]]:
    return [("country_series", f"countries-aggregated_{day}.csv", extracts[day]) for day in days]


@pytest.fixture(scope="module")
def lake(real_data, reports, extracts, lake_with) -> Iterator[Lakehouse]:
    """All there is, reports in a scrambled order, in two runs."""
    files = [("daily_reports", path.name, path.read_bytes()) for path in sorted(reports.glob("*.csv"))]
    Random(19).shuffle(files)
    lookup = real_data / "csse_covid" / "UID_ISO_FIPS_LookUp_Table.csv"
    places = [("places", lookup.name, lookup.read_bytes())]
    yield lake_with(
        [*files[:7], *extract_files(extracts, MARCH), *places], [*files[7:], *extract_files(extracts, OCTOBER)]
    )


@pytest.fixture(scope="module")
def backwards(extracts, lake_with) -> Lakehouse:
    """The two extracts, the later one first."""
    tables = ("covid.bronze.country_series", COUNTRY_DAYS)
    return lake_with(extract_files(extracts, OCTOBER), extract_files(extracts, MARCH), tables=tables)


def held_on(lake: Lakehouse, day: dt.date) -> plain.Series:
    """Return what was believed on a day."""
    held = (F.col("valid_from") <= F.lit(day)) & (F.col("valid_to").isNull() | (F.col("valid_to") > F.lit(day)))
    rows = lake.stored(COUNTRY_DAYS).where(held).select("country", "day", *COUNTS).collect()
    found = {(r.country, r.day): (r.confirmed, r.deaths, r.recovered) for r in rows}
    assert len(found) == len(rows), "one belief at a time"
    return found


def test_there_is_as_much_as_the_readme_says(reports, series):
    assert len(list(reports.glob("*.csv"))) == 19
    assert len(series[OCTOBER]) == 51_975


def test_gold_followed_the_restatement_and_is_what_a_full_refresh_makes(lake):
    names = ("country_counts", "country_metrics", "reported_totals")
    techniques = {name: next(Lake(lake.conf).history(f"covid.gold.{name}", 1)).account.technique for name in names}

    assert techniques == {
        "country_counts": "affected_keys",
        "country_metrics": "affected_groups",
        "reported_totals": "signed_delta",
    }
    assert compare.differences(lake, [f"covid.gold.{name}" for name in names]) == {}


def test_totals_of_countries_are_exact_in_each_report(lake, reports):
    rows = lake.rows("covid.gold.reported_totals").collect()

    found = {(r.country, r.report_date): plain.Total(r.regions, r.confirmed, r.deaths, r.recovered) for r in rows}
    assert found == plain.report_totals(reports)


def test_no_line_of_a_report_is_lost(lake, reports):
    lines = sum(len(plain.rows_of(path.read_bytes())) for path in reports.glob("*.csv"))

    assert lake.stored("covid.bronze.daily_reports").count() == lines
    require_balanced(lake)


def test_what_was_believed_on_a_day_is_what_its_extract_said(lake, series):
    assert held_on(lake, MARCH - dt.timedelta(days=1)) == {}
    assert held_on(lake, MARCH) == series[MARCH]
    assert held_on(lake, OCTOBER - dt.timedelta(days=1)) == series[MARCH]
    assert held_on(lake, OCTOBER) == series[OCTOBER]


def test_medallion_show_says_what_was_believed(lake, series):
    found = show.of(lake.conf, COUNTRY_DAYS, as_of_event=str(MARCH), limit=20_000)

    assert found.total == len(series[MARCH])
    assert {(r["country"], r["day"]): r["confirmed"] for r in found.rows} == {
        key: counts[0] for key, counts in series[MARCH].items()
    }


def test_history_is_the_same_in_both_orders_of_arrival(lake, backwards):
    columns = ("country", "day", "published_on", *COUNTS, "valid_from", "valid_to", "is_current")

    forth, back = (sorted(one.stored(COUNTRY_DAYS).select(*columns).collect(), key=str) for one in (lake, backwards))

    assert forth == back


def test_as_many_days_were_restated_as_the_extracts_say(lake, series):
    believed = F.count_distinct(F.struct(*COUNTS)).alias("believed")

    restated = lake.stored(COUNTRY_DAYS).groupBy("country", "day").agg(believed).where("believed > 1").count()

    both = series[MARCH].keys() & series[OCTOBER].keys()
    assert restated == sum(series[MARCH][key] != series[OCTOBER][key] for key in both) > 0


def test_metrics_of_all_countries_are_exact(lake, series, populations):
    expected = {}
    for country, days in plain.by_country(series[OCTOBER]).items():
        new = plain.new_ones(days)
        people = populations.get(country)
        for day, (confirmed, deaths, recovered) in days.items():
            changes = new.get(day, (None, None, None))
            averages = [plain.weekly({d: n[place] for d, n in new.items()}, day) for place in range(3)]
            expected[country, day] = (
                *(confirmed, deaths, recovered, confirmed - deaths - recovered, people, *changes),
                day in new and min(changes) < 0,
                plain.share(confirmed, people, 100_000),
                plain.share(deaths, people, 100_000),
                plain.share(deaths, confirmed, 100),
                *map(plain.rounded, averages),
            )

    rows = lake.rows("covid.gold.country_metrics").collect()

    names = (
        *(*COUNTS, "active", "population", "new_confirmed", "new_deaths", "new_recovered", "is_correction"),
        *("confirmed_per_100k", "deaths_per_100k", "case_fatality_pct"),
        *("new_confirmed_avg_7d", "new_deaths_avg_7d", "new_recovered_avg_7d"),
    )
    assert {(r.country, r.day): tuple(r[name] for name in names) for r in rows} == expected
    assert any(row[8] for row in expected.values()), "some counts were corrected downwards"


def test_the_summary_of_the_world_is_exact(lake, series):
    totals: dict[dt.date, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for (_, day), counts in series[OCTOBER].items():
        for place, count in enumerate(counts):
            totals[day][place] += count
        totals[day][3] += 1
        totals[day][4] += counts[0] > 0
    days = {day: (sums[0], sums[1], sums[2]) for day, sums in sorted(totals.items())}
    new = plain.new_ones(days)
    expected = {
        day: (
            *totals[day],
            *new.get(day, (None, None, None)),
            plain.share(deaths, confirmed, 100),
            *[plain.rounded(plain.weekly({d: n[place] for d, n in new.items()}, day)) for place in range(3)],
        )
        for day, (confirmed, deaths, _) in days.items()
    }

    rows = lake.rows("covid.gold.global_summary").collect()

    names = (
        *(*COUNTS, "countries_reporting", "countries_affected", "new_confirmed", "new_deaths", "new_recovered"),
        *("case_fatality_pct", "new_confirmed_avg_7d", "new_deaths_avg_7d", "new_recovered_avg_7d"),
    )
    assert {r.day: tuple(r[name] for name in names) for r in rows} == expected


def test_trends_of_all_countries_are_exact(lake, series):
    countries = plain.by_country(series[OCTOBER])
    latest = OCTOBER - dt.timedelta(days=1)
    rank = plain.ranks([days[latest][0] for days in countries.values()])
    expected, doubling = {}, {}
    for country, days in countries.items():
        new = {day: counts[0] for day, counts in plain.new_ones(days).items()}
        averages = {day: plain.rounded(plain.weekly(new, day)) for day in new}
        w, b = plain.weekly(new, latest), plain.weekly(new, latest - dt.timedelta(days=7))
        assert w is not None and b is not None
        peak = max(averages, key=lambda day: (averages[day], -day.toordinal()))
        change = plain.rounded((w - b) * 100 / b) if b > 0 else None
        expected[country] = (
            *(latest, *days[latest][:2], rank[days[latest][0]], plain.rounded(w), plain.rounded(b), change),
            *(plain.trend_of(w, b, THRESHOLD_PCT), peak, averages[peak]),
        )
        doubling[country] = plain.doubling(days)

    rows = lake.rows("covid.gold.country_trends").collect()

    names = (
        *("latest_day", "confirmed", "deaths", "confirmed_rank", "new_confirmed_avg_7d"),
        *("new_confirmed_avg_7d_before", "change_pct", "trend", "peak_day", "peak_value"),
    )
    assert {r.country: tuple(r[name] for name in names) for r in rows} == expected
    assert {trend for *_, trend, _, _ in expected.values()} == {"rising", "falling", "steady"}
    assert {r.country: r.doubling_days is None for r in rows} == {c: days is None for c, days in doubling.items()}
    for row in rows:
        if row.doubling_days is not None:  # floats: the last digit may be rounded the other way
            assert abs(row.doubling_days - Decimal(doubling[row.country])) < Decimal("0.0051"), row


def test_taken_in_again_nothing_is_written(lake):
    versions = lake.versions()

    report = lake.run()

    require_passed(report)
    assert lake.versions() == versions
    assert {outcome.status for outcome in report.outcomes} == {"skipped"}


@pytest.mark.slow
def test_random_rows_are_made_of_the_payloads_that_a_trace_finds(lake):
    assert not any(tracing.differences(lake).values())
