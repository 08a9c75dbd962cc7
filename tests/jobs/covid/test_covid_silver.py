import datetime as dt
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from jobs.covid.silver.countries import countries
from jobs.covid.silver.country_days import country_days
from jobs.covid.silver.region_days import region_days

COUNTS = {"confirmed": "12", "deaths": "3", "recovered": "1"}


def read(frame):
    return [row.asDict() for row in frame.withColumn("updated", F.col("last_update").cast("string")).collect()]


def test_a_line_of_the_latest_layout_is_typed(lines):
    sent = {
        "fips": "1001",
        "county": "Autauga ",
        "province": "Alabama",
        "country": "US",
        "last_update": "2020-05-29 02:32:50",
        "latitude": "32.53952745000001",
        "longitude": "-86.64408227",
        **COUNTS,
        "active": "-6",
    }

    (row,) = read(region_days(lines("05-28-2020.csv", sent)))

    assert row["report_date"] == dt.date(2020, 5, 28)
    assert (row["country"], row["province"], row["county"], row["fips"]) == ("US", "Alabama", "Autauga", "01001")
    assert (row["latitude"], row["longitude"]) == (Decimal("32.539527"), Decimal("-86.644082"))
    assert [row[name] for name in ("confirmed", "deaths", "recovered", "active")] == [12, 3, 1, -6]
    assert (row["updated"], row["_problems"]) == ("2020-05-29 02:32:50", [])


def test_what_an_early_layout_lacks_or_leaves_blank_is_null(lines):
    sent = {"province": "", "country": "Japan", "last_update": "", "confirmed": "", "deaths": " ", "recovered": None}

    (row,) = read(region_days(lines("01-22-2020.csv", sent)))

    assert (row["country"], row["province"], row["county"]) == ("Japan", "", "")
    absent = ("fips", "latitude", "longitude", "confirmed", "deaths", "recovered", "active", "last_update")
    assert {row[name] for name in absent} == {None}
    assert (row["confirmed_or_zero"], row["_problems"]) == (0, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/22/2020 17:00", "2020-01-22 17:00:00"),
        ("1/23/20 17:00", "2020-01-23 17:00:00"),
        ("2/1/2020 1:52", "2020-02-01 01:52:00"),
        ("2020-02-14T23:33:02", "2020-02-14 23:33:02"),
        ("2020-03-23 23:19:34", "2020-03-23 23:19:34"),
    ],
)
def test_a_time_of_any_of_the_four_formats_is_utc(spark, lines, text, expected):
    (row,) = read(region_days(lines("03-01-2020.csv", {"country": "Italy", "last_update": text, **COUNTS})))

    assert (row["updated"], row["_problems"]) == (expected, [])


@pytest.mark.parametrize("text", ["yesterday", "22/1/2020 17:00", "2020-02-30T10:00:00", "1/22/2020", "1/22/202 5:00"])
def test_a_time_in_another_format_is_told(lines, text):
    (row,) = read(region_days(lines("03-01-2020.csv", {"country": "Italy", "last_update": text, **COUNTS})))

    assert (row["last_update"], row["_problems"]) == (None, [f"last_update: cannot read '{text}'"])


@pytest.mark.parametrize(
    ("text", "expected"), [("12", 12), ("12.0", 12), ("12.", 12), ("0", 0), ("-5", -5), ("9" * 18, int("9" * 18))]
)
def test_a_count_is_a_whole_number(lines, text, expected):
    (row,) = read(region_days(lines("03-01-2020.csv", {"country": "Italy", "confirmed": text})))

    assert (row["confirmed"], row["confirmed_or_zero"], row["_problems"]) == (expected, expected, [])


@pytest.mark.parametrize("text", ["12.5", "1e3", "1,234", "n/a", "9" * 30])
def test_what_is_no_count_is_told(lines, text):
    (row,) = read(region_days(lines("03-01-2020.csv", {"country": "Italy", "deaths": text})))

    assert (row["deaths"], row["_problems"]) == (None, [f"deaths: cannot read '{text}'"])


@pytest.mark.parametrize("file", ["report.csv", "13-01-2020.csv", "2020-03-01.csv", "02-30-2020.csv"])
def test_without_a_day_in_the_files_name_there_is_no_key(lines, file):
    (row,) = read(region_days(lines(file, {"country": "Italy", **COUNTS})))

    assert row["report_date"] is None


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("0", "0.0", (None, None)),
        ("0", "6.6", (Decimal("0"), Decimal("6.6"))),
        ("", "6.6", (None, Decimal("6.6"))),
        ("4", "-53", (Decimal("4"), Decimal("-53"))),
        ("north", "-53", (None, Decimal("-53"))),
    ],
)
def test_a_place_at_zero_degrees_twice_is_an_unknown_one(lines, latitude, longitude, expected):
    sent = {"country": "Italy", "latitude": latitude, "longitude": longitude}

    (row,) = read(region_days(lines("03-01-2020.csv", sent)))

    assert (row["latitude"], row["longitude"]) == expected


@pytest.mark.parametrize(("code", "expected"), [("1001.0", "01001"), ("45001", "45001"), ("66", "66"), (None, None)])
def test_a_code_has_its_leading_zero(lines, code, expected):
    (row,) = read(region_days(lines("03-01-2020.csv", {"country": "US", "fips": code})))

    assert row["fips"] == expected


def test_countries_are_the_lines_without_a_province(lines):
    sent = [
        {"Country_Region": "Namibia", "iso2": "NA", "iso3": "NAM", "Population": "2540916", "Province_State": ""},
        {"Country_Region": "Taiwan*", "iso2": "TW", "iso3": "TWN", "Population": "23816775.0"},
        {"Country_Region": "MS Zaandam", "iso2": "", "iso3": None, "Population": ""},
        {
            "Country_Region": "China",
            "iso2": "HK",
            "iso3": "HKG",
            "Population": "7496988",
            "Province_State": "Hong Kong",
        },
        {"Country_Region": "US", "iso2": "US", "iso3": "USA", "Population": "55869", "Admin2": "Autauga"},
        {"Country_Region": "Italy", "iso2": "it", "iso3": "ita", "Population": "many"},
    ]

    found = countries(lines("places.csv", *sent)).orderBy("_position").collect()

    assert [(r.country, r.iso2, r.iso3, r.population) for r in found] == [
        ("Namibia", "NA", "NAM", 2540916),
        ("Taiwan", "TW", "TWN", 23816775),
        ("MS Zaandam", None, None, None),
        ("Italy", "IT", "ITA", None),
    ]
    assert [r._problems for r in found] == [[], [], [], ["population: cannot read 'many'"]]


def test_a_day_of_an_extract_holds_from_the_extracts_date(lines):
    sent = [
        {"Date": "2020-03-01", "Country": "Korea, South", "Confirmed": "3736", "Recovered": "30", "Deaths": "17"},
        {"Date": "3/1/20", "Country": "Italy", "Confirmed": "", "Recovered": None, "Deaths": "x"},
    ]

    named, unreadable = country_days(lines("countries-aggregated_2020-03-29.csv", *sent)).orderBy("_position").collect()

    assert (named.country, named.day, named.published_on) == (
        "Korea, South",
        dt.date(2020, 3, 1),
        dt.date(2020, 3, 29),
    )
    assert (named.confirmed, named.recovered, named.deaths, named._problems) == (3736, 30, 17, [])
    assert (unreadable.day, unreadable.confirmed, unreadable.recovered) == (None, None, None)
    assert unreadable._problems == ["day: cannot read '3/1/20'", "deaths: cannot read 'x'"]


def test_an_extract_without_a_date_in_its_name_has_no_place_in_the_order(lines):
    (row,) = country_days(lines("countries-aggregated.csv", {"Date": "2020-03-01", "Country": "Italy"})).collect()

    assert row.published_on is None
