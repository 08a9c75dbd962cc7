"""The Center's files read by plain Python, and the pipeline's figures from their formulas, with exact fractions."""

import csv
import datetime as dt
import io
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

Counts = tuple[int, int, int]  # confirmed, deaths, recovered
Series = dict[tuple[str, dt.date], Counts]

# What the real reports call places, said once more by hand; only names that they have.
COUNTRIES = {
    "Mainland China": "China", "Hong Kong": "China", "Macau": "China",
    "South Korea": "Korea, South", "UK": "United Kingdom", "Czech Republic": "Czechia",
    "Others": "Diamond Princess", "Cruise Ship": "Diamond Princess",
    "Bahamas, The": "Bahamas", "The Bahamas": "Bahamas", "Gambia, The": "Gambia", "The Gambia": "Gambia",
    "Republic of the Congo": "Congo (Brazzaville)", "Cape Verde": "Cabo Verde", "East Timor": "Timor-Leste",
    "Cote d Ivoire": "Cote d'Ivoire", "Taiwan*": "Taiwan",
    "Aruba": "Netherlands", "Cayman Islands": "United Kingdom", "Guernsey": "United Kingdom",
    "Jersey": "United Kingdom", "French Guiana": "France", "Guadeloupe": "France", "Martinique": "France",
    "Mayotte": "France", "Reunion": "France", "Greenland": "Denmark", "Guam": "US", "Puerto Rico": "US",
}  # fmt: skip
PARTS = (
    "Hong Kong", "Macau", "Aruba", "Cayman Islands", "Guernsey", "Jersey", "French Guiana", "Guadeloupe", "Martinique",
    "Mayotte", "Reunion", "Greenland", "Guam", "Puerto Rico",
)  # fmt: skip


class Total(NamedTuple):
    regions: int
    confirmed: int | None
    deaths: int | None
    recovered: int | None


def rows_of(content: bytes) -> list[dict[str, str]]:
    """Return the lines of a CSV file by its own names of columns."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def report_totals(folder: Path) -> dict[tuple[str, dt.date], Total]:
    """Return what each country's regions add up to in each report; of lines for one region the largest counts."""
    found: dict[tuple[str, dt.date], Total] = {}
    for path in folder.glob("*.csv"):
        day = dt.datetime.strptime(path.stem, "%m-%d-%Y").replace(tzinfo=dt.UTC).date()
        regions: dict[tuple[str, str, str], dict[str, str]] = {}
        for row in rows_of(path.read_bytes()):
            key = _region(row)
            if key not in regions or int(row["Confirmed"] or 0) >= int(regions[key]["Confirmed"] or 0):
                regions[key] = row
        of_country: dict[str, list[dict[str, str]]] = defaultdict(list)
        for (country, _, _), row in regions.items():
            of_country[country].append(row)
        for country, rows in of_country.items():
            sums = (_sum(row[name] for row in rows) for name in ("Confirmed", "Deaths", "Recovered"))
            found[country, day] = Total(len(rows), *sums)
    return found


def _region(row: Mapping[str, str]) -> tuple[str, str, str]:
    reported = (row.get("Country/Region") or row.get("Country_Region") or "").strip()
    province = (row.get("Province/State") or row.get("Province_State") or "").strip()
    country = COUNTRIES.get(reported, reported)
    if province in (reported, country) or (country == "Diamond Princess" and province.startswith(country)):
        province = ""
    if not province and reported in PARTS:
        province = reported
    return country, province, (row.get("Admin2") or "").strip()


def _sum(texts: Iterator[str]) -> int | None:
    known = [int(text) for text in texts if text]
    return sum(known) if known else None


def populations(path: Path) -> dict[str, int]:
    """Return the inhabitants of whole countries."""
    rows = [row for row in rows_of(path.read_bytes()) if not row["Province_State"] and not row["Admin2"]]
    return {
        COUNTRIES.get(r["Country_Region"], r["Country_Region"]): int(r["Population"]) for r in rows if r["Population"]
    }


def wide_series(folder: Path) -> Series:
    """Return the sums of countries of the three wide files: one column a day, one line a province."""
    sums: dict[tuple[str, dt.date], list[int]] = defaultdict(lambda: [0, 0, 0])
    for place, name in enumerate(("confirmed", "deaths", "recovered")):
        for row in rows_of((folder / f"time_series_covid19_{name}_global.csv").read_bytes()):
            for column, text in row.items():
                if found := re.fullmatch(r"(\d+)/(\d+)/(\d+)", column):
                    month, day, year = map(int, found.groups())
                    sums[row["Country/Region"], dt.date(2000 + year, month, day)][place] += int(text)
    return {key: (counts[0], counts[1], counts[2]) for key, counts in sums.items()}


def extract_of(series: Series) -> bytes:
    """Return a series as an extract has it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Date", "Country", "Confirmed", "Recovered", "Deaths"))
    for (country, day), (confirmed, deaths, recovered) in sorted(series.items()):
        writer.writerow((day, country, confirmed, recovered, deaths))
    return text.getvalue().encode()


def series_of(extract: bytes) -> Series:
    """Return an extract by country, under its one name, and day."""
    return {
        (COUNTRIES.get(r["Country"], r["Country"]), dt.date.fromisoformat(r["Date"])): (
            int(r["Confirmed"]),
            int(r["Deaths"]),
            int(r["Recovered"]),
        )
        for r in rows_of(extract)
    }


def rounded(exact: Fraction | None, digits: int = 4) -> Decimal | None:
    """Return a fraction as a decimal, rounded half away from zero."""
    if exact is None:
        return None
    scaled = abs(exact) * 10**digits + Fraction(1, 2)
    return Decimal(math.floor(scaled) * (-1 if exact < 0 else 1)).scaleb(-digits)


def share(part: int, whole: int | None, times: int) -> Decimal | None:
    """Return times x part / whole."""
    return rounded(Fraction(times * part, whole)) if whole else None


def by_country(series: Series) -> dict[str, dict[dt.date, Counts]]:
    """Return each country's days in order."""
    found: dict[str, dict[dt.date, Counts]] = defaultdict(dict)
    for (country, day), counts in sorted(series.items()):
        found[country][day] = counts
    return found


def new_ones(days: Mapping[dt.date, Counts]) -> dict[dt.date, Counts]:
    """Return the differences from day to day; every day but the first is there, and follows on the one before."""
    found: dict[dt.date, Counts] = {}
    for before, day in pairwise(days):
        assert day - before == dt.timedelta(days=1), "no gap in these files"
        found[day] = tuple(now - then for now, then in zip(days[day], days[before], strict=True))  # type: ignore[assignment]
    return found


def weekly(new: Mapping[dt.date, int], day: dt.date) -> Fraction | None:
    """Return the mean of what was new on the seven days up to a day, of as many as there are."""
    week = [new[d] for d in (day - dt.timedelta(days=back) for back in range(7)) if d in new]
    return Fraction(sum(week), len(week)) if week else None


def doubling(days: Mapping[dt.date, Counts]) -> float | None:
    """Return ln 2 / slope of the best line through ln(confirmed) of the last seven days."""
    points = [(d.toordinal(), math.log(days[d][0])) for d in list(days)[-7:] if days[d][0] > 0]
    if len({y for _, y in points}) < 2:
        return None
    mean_x, mean_y = (math.fsum(values) / len(points) for values in zip(*points, strict=True))
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / math.fsum((x - mean_x) ** 2 for x, _ in points)
    return math.log(2) / slope if slope > 0 else None


def trend_of(w: Fraction | None, b: Fraction | None, threshold_pct: int) -> str | None:
    """Return whether w is above or below b by more than so many percent of b."""
    if w is None or b is None or b < 0:
        return None
    margin = b * threshold_pct / 100
    return "rising" if w > b + margin else "falling" if w < b - margin else "steady"


def ranks(values: Sequence[Any]) -> dict[Any, int]:
    """Return the place of each value, the greatest first."""
    return {value: 1 + sum(other > value for other in values) for value in values}
