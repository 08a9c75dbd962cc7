"""A daily report in the layout of its time: names of columns, spelling of places, form of times, line ends."""

import datetime as dt
from collections.abc import Sequence

from jobs.covid.sample.regions import Region
from jobs.covid.sample.text import table

# What each report from the third layout on holds one line of, on top of its sound ones.
DIRT = ("negative", "no_number", "no_country", "no_time", "twice", "ragged")

_EARLY = ("Province/State", "Country/Region", "Last Update", "Confirmed", "Deaths", "Recovered")
_LATER = ("FIPS", "Admin2", "Province_State", "Country_Region", "Last_Update", "Lat", "Long_", "Confirmed", "Deaths",
          "Recovered", "Active", "Combined_Key")  # fmt: skip
_HEADERS = (
    _EARLY,
    (*_EARLY, "Latitude", "Longitude"),
    _LATER,
    (*_LATER, "Incidence_Rate", "Case-Fatality_Ratio"),
    (*_LATER, "Incident_Rate", "Case_Fatality_Ratio", "Testing_Rate"),  # the last one nobody has named in conf
)
_TIMES = ("{0:%-m/%-d/%Y %H:%M}", "{0:%Y-%m-%dT%H:%M:%S}", "{0:%-m/%-d/%y %H:%M}", "{0:%Y-%m-%d %H:%M:%S}")

Line = tuple[Region, tuple[int, int, int]]


def report(layout: int, date: dt.date, lines: Sequence[Line]) -> bytes:
    """Return a day's report in one of the five layouts, the last of them for any later one."""
    layout = min(layout, len(_HEADERS) - 1)
    closed = dt.datetime.combine(date, dt.time(23, 20 + date.day % 30, 5))
    time = _TIMES[date.day % len(_TIMES)].format(closed)
    make = _early if layout < 2 else _later
    rows = [make(layout, time, region, counts) for region, counts in lines]
    if layout >= 2:
        rows += _dirt(layout, time)
    line_end = "\n" if date.day % 3 else "\r\n"
    content = table(_HEADERS[layout], rows, line_end=line_end, has_bom=date.day % 2 == 0)
    return content.replace(b"\r\n", b"\n", 2) if date.day % 9 == 0 else content  # mixed within one file


def _early(layout: int, time: str, region: Region, counts: tuple[int, int, int]) -> list[object]:
    country, province = region.early
    confirmed, recovered, deaths = counts
    row: list[object] = [province, country, time, confirmed, deaths or None, recovered or None]
    return [*row, region.latitude, region.longitude] if layout == 1 else row


def _later(layout: int, time: str, region: Region, counts: tuple[int, int, int]) -> list[object]:
    confirmed, recovered, deaths = counts
    known = [part for part in (region.county, region.province, region.country) if part]
    row: list[object] = [
        region.fips.lstrip("0"), region.county, region.province, region.country, time,
        region.latitude, region.longitude, confirmed, deaths, recovered,
        confirmed - deaths - recovered, ", ".join(known),
    ]  # fmt: skip
    rates = (round(confirmed / 1000, 8), round(100 * deaths / confirmed, 8) if confirmed else None, 0.5)
    return [*row, *rates[: len(_HEADERS[layout]) - len(row)]]


def _dirt(layout: int, time: str) -> list[list[object]]:
    def line(county: str, **other: object) -> list[object]:
        region = Region("US", "Alabama", county, "", 0.0, 0.0, ("", ""))
        row = _later(layout, time, region, (4, 1, 0))
        for name, value in other.items():
            row[_LATER.index(name)] = value
        return row

    return [
        line("Negative", Confirmed=-4),
        line("No Number", Deaths="n/a"),
        line("Lost", Country_Region=None),
        line("No Time", Last_Update=None),
        *[line("Twice", Confirmed=confirmed) for confirmed in (6, 5)],
        line("Ragged")[:-1],
    ]
