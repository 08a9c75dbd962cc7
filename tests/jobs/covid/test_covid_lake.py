"""Reports in every layout through bronze and silver, and the sample through all tables."""

import datetime as dt
from collections import Counter

import pytest
from pyspark.sql import functions as F

from jobs.covid import sample
from jobs.covid.sample import counts
from medallion.landing import Landing

BRONZE, SILVER = "covid.bronze.daily_reports", "covid.silver.region_days"
EARLY = "Province/State,Country/Region,Last Update,Confirmed,Deaths,Recovered"
LATER = "FIPS,Admin2,Province_State,Country_Region,Last_Update,Lat,Long_,Confirmed,Deaths,Recovered,Active,Combined_Key"
BOM = "\ufeff"
REPORTS = {
    "01-22-2020.csv": f"{BOM}{EARLY}\r\nHong Kong,Hong Kong,1/22/2020 17:00,2,,\r\n,Japan,1/22/2020 17:00,,,\r\n",
    "03-01-2020.csv": f"{EARLY},Latitude,Longitude\n"
    "Hubei,Mainland China,2020-03-01T10:13:19,66907,2761,31536,30.9,112.2\n",
    "03-22-2020.csv": f"{BOM}{LATER}\r\n"
    '1001,Autauga,Alabama,US,3/22/20 23:45,32.5,-86.6,4,0,0,0,"Autauga, Alabama, US"\n'
    ',,,"Korea, South",3/22/20 23:45,36,128,8897,104,2909,5884,"Korea, South"\r\n',
    "05-29-2020.csv": f"{LATER},Incidence_Rate,Case-Fatality_Ratio\n"
    ",,Hong Kong,China,2020-05-30 02:32:48,22.3,114.2,1079,4,1035,40,\"Hong Kong, China\",14.4,0.37\n",
    "11-09-2020.csv": f"{LATER},Incident_Rate,Case_Fatality_Ratio,Mood\n"
    ",,,Italy,2020-11-10 05:25:30,41.9,12.6,960373,41750,345289,573334,Italy,1588.4,4.3,low\n",
}  # fmt: skip
KEY = ("report_date", "country", "province", "county")


def deliver(lake, name, content):
    Landing(lake.conf, "daily_reports").deliver([(name, content.encode())])


def is_dirty(number):
    """Tell whether a day's report is of the third layout or a later one."""
    return (number + sample.HISTORY_DAYS - 1) * 5 // sample.HISTORY_DAYS >= 2


def outcomes(report):
    return {outcome.table: outcome for outcome in report.outcomes}


def test_reports_of_all_layouts_are_read_into_one(lakehouse):
    lake = lakehouse("covid")
    for name, content in REPORTS.items():
        deliver(lake, name, content)

    done = outcomes(lake.run(BRONZE, SILVER))

    columns = [*KEY, "confirmed", "deaths", "recovered", F.col("last_update").cast("string")]
    rows = lake.rows(SILVER).orderBy(*KEY).select(*columns).collect()
    assert [tuple(row) for row in rows] == [
        (dt.date(2020, 1, 22), "China", "Hong Kong", "", 2, None, None, "2020-01-22 17:00:00"),
        (dt.date(2020, 1, 22), "Japan", "", "", None, None, None, "2020-01-22 17:00:00"),
        (dt.date(2020, 3, 1), "China", "Hubei", "", 66907, 2761, 31536, "2020-03-01 10:13:19"),
        (dt.date(2020, 3, 22), "Korea, South", "", "", 8897, 104, 2909, "2020-03-22 23:45:00"),
        (dt.date(2020, 3, 22), "US", "Alabama", "Autauga", 4, 0, 0, "2020-03-22 23:45:00"),
        (dt.date(2020, 5, 29), "China", "Hong Kong", "", 1079, 4, 1035, "2020-05-30 02:32:48"),
        (dt.date(2020, 11, 9), "Italy", "", "", 960373, 41750, 345289, "2020-11-10 05:25:30"),
    ]
    kept = lake.stored(BRONZE).where("_rescued IS NOT NULL").select("_rescued").collect()
    assert [row[0] for row in kept] == [{"Mood": "low"}]
    assert "Mood" in str(done[BRONZE].checks)


def test_a_report_that_comes_again_changes_what_changed_in_it(lakehouse):
    lake = lakehouse("covid")
    first = f"{EARLY}\n,Italy,2/1/2020 1:52,2,0,0\n,Spain,2/1/2020 2:13,1,0,0\n"
    restated = first.replace("1:52,2", "1:52,3")
    confirmed = []
    stored = []

    for name, content in (
        ("02-01-2020.csv", first),
        ("02-02-2020.csv", first),  # the same lines, of another day
        ("02-01-2020.csv", restated),
        ("02-01-2020.csv", first),
    ):
        deliver(lake, name, content)
        stored.append(outcomes(lake.run(BRONZE, SILVER))[BRONZE].rows["stored"])
        italy = lake.rows(SILVER).where("country = 'Italy'").orderBy("report_date")
        confirmed.append([row.confirmed for row in italy.collect()])

    assert stored == [2, 2, 1, 1]
    assert confirmed == [[2], [2, 2], [3, 2], [2, 2]]


def test_of_lines_for_one_region_the_one_with_the_most_cases_counts(lakehouse):
    lake = lakehouse("covid")
    content = (
        f'{EARLY}\n,"Bahamas, The",2/1/2020 1:52,3,1,0\n,The Bahamas,2/1/2020 1:52,0,0,0\n'
        ",Italy,2/1/2020 1:52,2,0,0\n,Italy,2/1/2020 1:52,2,1,0\n,Spain,2/1/2020 2:13,,,\n,Spain,2/1/2020 2:13,0,,\n"
    )
    deliver(lake, "02-01-2020.csv", content)

    done = outcomes(lake.run(BRONZE, SILVER))[SILVER]

    found = {row.country: (row.confirmed, row.deaths) for row in lake.rows(SILVER).collect()}
    assert found == {"Bahamas": (3, 1), "Italy": (2, 1), "Spain": (0, None)}
    assert (done.rows["written"], done.rows["superseded"], done.rows["quarantined"]) == (3, 3, 0)


@pytest.mark.slow
def test_before_any_delivery_every_table_starts_empty(lakehouse):
    lake = lakehouse("covid")

    report = lake.run()

    assert {(outcome.status, outcome.error) for outcome in report.outcomes} == {("done", None)}
    assert all(lake.rows(name).isEmpty() for name in lake.versions())
    assert {outcome.status for outcome in lake.run().outcomes} == {"skipped"}


@pytest.mark.slow
def test_the_sample_adds_up_in_all_tables_and_its_dirt_is_told(lakehouse):
    lake = lakehouse("covid")
    for day in (0, 1):
        for delivery in sample.deliveries(day):
            Landing(lake.conf, delivery.source).deliver(delivery.files)
        report = lake.run()
        assert report.passed, [outcome.error for outcome in report.outcomes if outcome.error]

    _require_totals(lake)
    _require_beliefs(lake)
    entries = lake.stored("covid.quarantine.region_days")
    reasons = Counter(row.rule for row in entries.select(F.inline("reasons")).collect())
    dirty = sum(is_dirty(number) for number in range(1 - sample.HISTORY_DAYS, 2))
    # Spoilt lines of a report that came again are the same ones, and stored once.
    assert entries.count() == 4 * dirty
    assert [
        reasons[rule] for rule in ("range(confirmed)", "readable", "not_null(country)", "not_null(report_date)")
    ] == [
        dirty,
        2 * dirty,
        2 * dirty,
        dirty,  # the ragged line, of which nothing is known but its text
    ]
    assert {outcome.status for outcome in lake.run().outcomes} == {"skipped"}


def _require_totals(lake):
    """Hold totals of reports against the counts that the sample made up; from the third layout on with its dirt."""
    expected = {}
    for country in counts.COUNTRIES:
        for number in range(1 - sample.HISTORY_DAYS, 2):
            published = 0 if number < 0 else 1  # the reports of both days came on day 1, one of them again
            age, seen = number + sample.HISTORY_DAYS - 1, published + sample.HISTORY_DAYS - 1
            dirt = 6 + 4 if country == "US" and is_dirty(number) else 0  # entered twice, and without a time
            expected[country.rstrip("*"), sample.date_of(number)] = counts.of_country(country, age, seen, 7)[0] + dirt
    rows = lake.rows("covid.gold.reported_totals").collect()
    assert {(row.country, row.report_date): row.confirmed for row in rows} == expected


def _require_beliefs(lake):
    """Hold what was believed on both days against what was made up for them."""
    stored = lake.stored("covid.silver.country_days")
    for day in (0, 1):
        on = F.lit(sample.date_of(day))
        held = (F.col("valid_from") <= on) & (F.col("valid_to").isNull() | (F.col("valid_to") > on))
        found = {(row.country, row.day): row.confirmed for row in stored.where(held).collect()}
        assert found == {
            (country.rstrip("*"), sample.date_of(number)): counts.of_country(
                country, number + sample.HISTORY_DAYS - 1, day + sample.HISTORY_DAYS - 1, 7
            )[0]
            for country in counts.COUNTRIES
            for number in range(1 - sample.HISTORY_DAYS, day + 1)
        }
