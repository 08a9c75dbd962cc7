"""How much a source delivers a day, held against its own recent history, as bronze's own commits tell it.

Days are UTC days of receipt in landing. A day on which nothing came counts as none. Records are counted as read,
repeats included: of an extract that changed little bronze stores little, and yet all of it was delivered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from statistics import median

from medallion.check import Check
from medallion.conf import Expectation
from medallion.lake import Commit

WEEKS, LEAST_WEEKS = 8, 4  # the same day of the week, where there are so many of them
DAYS, LEAST_DAYS = 28, 7  # else all days
COMMITS = 3000  # are looked at; of a table with more in nine weeks these tell the last of them
# A modified z-score above 3.5 is an outlier: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), where
# 1.4826 makes the median absolute deviation that of a normal distribution. A count scatters at least by its root.
OUTLIER, _NORMAL = 3.5, 1.4826


@dataclass(frozen=True)
class Day:
    """What came on one day: records read, and deliveries."""

    rows: int = 0
    deliveries: int = 0

    def plus(self, other: "Day") -> "Day":
        """Return both together."""
        return Day(self.rows + other.rows, self.deliveries + other.deliveries)

    def volume(self, per: str) -> float:
        """Return its records, or those of its average delivery."""
        return self.rows if per == "day" else self.rows / self.deliveries if self.deliveries else 0.0


Days = Mapping[date, Day]


@dataclass(frozen=True)
class Bounds:
    """From how much to how much is usual, and what tells so."""

    low: float
    high: float
    told_by: str


def days_of(commits: Iterable[Commit]) -> dict[date, Day]:
    """Return what commits of a bronze table, newest first, took in by day; back to where any bound asks.

    A commit that only carries the account of another forward takes in nothing. What a commit of an older engine
    took in counts for the day of the commit.
    """
    found: dict[date, Day] = {}
    lowest: int | None = None
    for commit in commits:
        mark = next(iter(commit.account.watermark.values()), None) if commit.account else None
        if commit.account is None or mark is None or mark.version in (0, mark.since):
            continue
        if lowest is not None and mark.since >= lowest:
            continue
        lowest = mark.since
        told = commit.account.received
        if told is None:
            at = datetime.fromtimestamp(commit.at_ms / 1000, UTC).date()
            told = {str(at): (commit.account.rows.get("read", 0), mark.version - mark.since)}
        _add(found, told)
        if found and max(found) - min(found) > timedelta(weeks=WEEKS + 1):
            break
    return found


def together(*parts: Days) -> dict[date, Day]:
    """Return days with all that came on them."""
    found: dict[date, Day] = {}
    for part in parts:
        for day, one in part.items():
            found[day] = found.get(day, Day()).plus(one)
    return found


def received(told: Mapping[str, Sequence[int]]) -> dict[date, Day]:
    """Return what came by day, as an account tells it."""
    found: dict[date, Day] = {}
    _add(found, told)
    return found


def judge(
    expectation: Expectation, days: Days, looked_at: Iterable[date], today: date, taken: Days | None = None
) -> Check:
    """Hold days against those before them, and return what is worst, or the newest where nothing is wrong.

    Too little is told of a day that is over, or of deliveries. What stops a table is too much, or deliveries that are
    too small: holding back what came of a small day would help nobody. Days of which readers have too much already,
    by what was ``taken``, were accepted by somebody: where the expectation holds back, they pass from then on.
    """
    known = taken if taken and expectation.severity == "fail" else {}
    verdicts = [_verdict(expectation, days, day, today, known) for day in sorted(looked_at, reverse=True)]
    if not verdicts:
        return Check(expectation.label, expectation.severity, 0, 0, True, said="nothing came yet")
    missed = [one for one in verdicts if not one.passed]
    failed, total = (sum(one.rows for one in some) for some in (missed, verdicts))
    stops = expectation.severity == "fail" and any(one.stops for one in missed)
    said = (missed or verdicts)[0].said
    return Check(expectation.label, expectation.severity, failed, total, not missed, said=said, stops=stops)


@dataclass(frozen=True)
class _Verdict:
    rows: int
    said: str
    passed: bool = True
    stops: bool = False


def _verdict(expectation: Expectation, days: Days, day: date, today: date, taken: Days) -> _Verdict:
    per = expectation.per or "day"
    rows = days.get(day, Day()).rows
    value = days.get(day, Day()).volume(per)
    unit = "rows" if per == "day" else "rows a delivery"
    found = f"found {value:,.0f} {unit} on {day:%A} {day}"
    bounds = bounds_of(expectation, days, day)
    if bounds is None:
        return _Verdict(rows, f"{found}; not judged: fewer than {LEAST_DAYS} days before it are known")
    wanted = f"{found}; wanted {bounds.low:,.0f} to {bounds.high:,.0f}: {bounds.told_by}"
    before = taken.get(day, Day()).volume(per)
    if before > bounds.high or (per == "delivery" and 0 < before < bounds.low):
        return _Verdict(rows, f"{wanted}; accepted")
    if value > bounds.high:
        return _Verdict(rows, wanted, passed=False, stops=True)
    if value < bounds.low and (day < today if per == "day" else day in days):
        return _Verdict(rows, wanted, passed=False, stops=per == "delivery")
    return _Verdict(rows, wanted)


def bounds_of(expectation: Expectation, days: Days, day: date) -> Bounds | None:
    """Return how much is usual on a day, as the days before it tell; None where these are too few.

    Median plus or minus 3.5 median absolute deviations, and at least 3.5 roots of the median; wider by the tolerance.
    """
    per = expectation.per or "day"
    before = [(other, days.get(other, Day())) for other in _before(days, day)]
    if per == "delivery":
        before = [(other, one) for other, one in before if one.deliveries]
    same = [one.volume(per) for other, one in before if other.weekday() == day.weekday()]
    if len(same) >= LEAST_WEEKS:
        low, high = _usual(same)
        told_by = f"{day:%A}s of the last {len(same)} weeks"
    else:
        recent = [one.volume(per) for other, one in before if day - other <= timedelta(days=DAYS)]
        if len(recent) < LEAST_DAYS:
            return None
        low, high = _usual(recent)
        low, high = min(low, *recent), max(high, *recent)  # days of the week may differ, and are too few to tell
        told_by = f"the last {len(recent)} days"
    tolerance = expectation.tolerance
    return Bounds(max(low * (1 - tolerance), 0), high * (1 + tolerance), told_by)


def _before(days: Days, day: date) -> Iterator[date]:
    """Yield each day of the last weeks before one, from the second that is known: the first may bring a history."""
    first = max(min(days, default=day) + timedelta(days=1), day - timedelta(weeks=WEEKS))
    yield from (first + timedelta(days=n) for n in range((day - first).days))


def deviation(values: Sequence[float]) -> float:
    """Return how far values scatter: their median absolute deviation, on the scale of a standard deviation."""
    middle = median(values)
    return _NORMAL * median(abs(value - middle) for value in values)


def _usual(values: Sequence[float]) -> tuple[float, float]:
    middle = median(values)
    scatter = max(deviation(values), sqrt(middle))
    return max(middle - OUTLIER * scatter, 0), middle + OUTLIER * scatter


def _add(found: dict[date, Day], told: Mapping[str, Sequence[int]]) -> None:
    for day, (rows, deliveries) in told.items():
        at = date.fromisoformat(day)
        found[at] = found.get(at, Day()).plus(Day(rows, deliveries))
