"""A sample of reports: deterministic counts of a few regions, in all layouts, spellings and line ends of the real ones.

Day 0 holds the lookup table, `HISTORY_DAYS` daily reports and one extract of the country series; each later day brings
its own report, that of the day before once more with changed lines, and a new extract, in which some earlier days
are restated. Counts are made up. What is wrong with lines stands in `DIRT`, one of each kind in every report from the
third layout on.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.covid.sample import counts
from jobs.covid.sample.layouts import DIRT, report
from jobs.covid.sample.regions import PLACES
from jobs.covid.sample.text import table

__all__ = ["DAY_0", "DIRT", "HISTORY_DAYS", "Delivery", "date_of", "deliveries"]

DAY_0 = dt.date(2020, 3, 9)
HISTORY_DAYS = 40


@dataclass(frozen=True)
class Delivery:
    """Files that one source delivers at once."""

    source: str
    files: list[tuple[str, bytes]]


def deliveries(day: int, *, seed: int = 7) -> Iterator[Delivery]:
    """Yield a day's deliveries, each of one file as an intake would make them; raises ValueError for no day."""
    if day < 0:
        raise ValueError(f"found day {day}; wanted a day from 0")
    if day == 0:
        yield Delivery("places", [("UID_ISO_FIPS_LookUp_Table.csv", _places())])
    first = 1 - HISTORY_DAYS if day == 0 else day - 1
    for number in range(first, day + 1):
        yield Delivery("daily_reports", [(f"{date_of(number):%m-%d-%Y}.csv", _report(number, day, seed))])
    yield Delivery("country_series", [(f"countries-aggregated_{date_of(day)}.csv", _series(day, seed))])


def date_of(number: int) -> dt.date:
    """Return the date of a day of the sample."""
    return DAY_0 + dt.timedelta(days=number)


def _report(number: int, published: int, seed: int) -> bytes:
    """Return a day's report; history begins with the first layout and ends with the last."""
    age = number + HISTORY_DAYS - 1
    lines = [(region, counts.reported(region, age, published + HISTORY_DAYS - 1, seed)) for region in counts.REGIONS]
    return report(age * 5 // HISTORY_DAYS, date_of(number), lines)


def _series(day: int, seed: int) -> bytes:
    last = day + HISTORY_DAYS - 1
    rows = [
        (date_of(number).isoformat(), country, *counts.of_country(country, number + HISTORY_DAYS - 1, last, seed))
        for country in counts.COUNTRIES
        for number in range(1 - HISTORY_DAYS, day + 1)
    ]
    return table(("Date", "Country", "Confirmed", "Recovered", "Deaths"), rows)


def _places() -> bytes:
    header = ("UID", "iso2", "iso3", "code3", "FIPS", "Admin2", "Province_State", "Country_Region", "Lat", "Long_",
              "Combined_Key", "Population")  # fmt: skip
    return table(header, PLACES, line_end="\r\n")
