"""How much a source delivers a day, against its own recent history: bounds, days of the week, what is not judged."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion import volume
from medallion.account import Mark
from medallion.check import Check
from medallion.conf import Expectation
from medallion.lake import Commit
from medallion.volume import Day
from tests.lib.conftest import account

MONDAY = date(2026, 3, 2)
WEEK = [1000, 1100, 1050, 1020, 1080, 300, 0]  # Monday to Sunday


def _days(rows: Sequence[int], until: date = MONDAY) -> dict[date, Day]:
    """Return days that end before one, each of one delivery where anything came."""
    first = until - timedelta(days=len(rows))
    return {first + timedelta(days=n): Day(count, 1) for n, count in enumerate(rows) if count}


def _judged(days: dict[date, Day], day: date = MONDAY, today: date | None = None, **facts: Any) -> Check:
    return volume.judge(Expectation(rule="volume", **facts), days, {day}, today or day + timedelta(days=1))


@pytest.mark.parametrize(("rows", "passed"), [(1010, True), (2000, False), (300, False)])
def test_a_day_is_held_against_the_same_day_of_the_week(rows: int, passed: bool) -> None:
    found = _judged(_days([9999, *WEEK * 8]) | {MONDAY: Day(rows, 1)}, severity="fail")

    assert found.passed is passed
    assert found.said == f"found {rows:,} rows on Monday 2026-03-02; wanted 889 to 1,111: Mondays of the last 8 weeks"
    assert found.stops is (rows > 1111)  # too little is told, and nothing is held back


def test_a_sunday_without_rows_is_as_usual_and_a_saturday_like_a_monday_is_not() -> None:
    days = _days([9999, *WEEK * 8])
    sunday, saturday = MONDAY + timedelta(days=6), MONDAY + timedelta(days=5)

    assert _judged(days, sunday).passed
    assert not _judged(days | {saturday: Day(1000, 1)}, saturday).passed


def test_with_few_weeks_only_what_no_day_had_is_unusual() -> None:
    days = _days([9999, *WEEK * 2])

    assert _judged(days | {MONDAY: Day(300, 1)}).passed
    assert not _judged(days | {MONDAY: Day(2200, 2)}).passed


def test_too_little_history_is_not_judged_and_says_so() -> None:
    found = _judged(_days([9999, *WEEK[:6]]) | {MONDAY: Day(9000, 1)})

    assert (found.passed, found.said) == (
        True,
        "found 9,000 rows on Monday 2026-03-02; not judged: fewer than 7 days before it are known",
    )


def test_a_day_that_is_not_over_is_not_too_small_yet() -> None:
    days = _days([9999, *WEEK * 8]) | {MONDAY: Day(10, 1)}

    assert _judged(days, today=MONDAY).passed
    assert not _judged(days, today=MONDAY + timedelta(days=1)).passed


def test_a_delivery_of_half_its_rows_is_told_at_once_and_stops() -> None:
    days = _days([9999, *[500] * 56])
    found = _judged(days | {MONDAY: Day(250, 1)}, today=MONDAY, per="delivery", severity="fail")

    assert (found.passed, found.stops) == (False, True)
    assert _judged(days | {MONDAY: Day(1000, 2)}, today=MONDAY, per="delivery").passed


def test_a_tolerance_widens_the_bounds() -> None:
    days = _days([9999, *WEEK * 8]) | {MONDAY: Day(1300, 1)}

    assert not _judged(days).passed
    assert _judged(days, tolerance=0.2).passed


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=7, max_size=70))
def test_bounds_hold_the_usual_and_the_past_alone_tells_them(rows: list[int]) -> None:
    days = _days(rows)
    expectation = Expectation(rule="volume")
    bounds = volume.bounds_of(expectation, days, MONDAY)

    if bounds is not None:
        assert 0 <= bounds.low <= bounds.high
        later = {MONDAY: Day(7, 1), MONDAY + timedelta(days=1): Day(9, 1)}
        assert volume.bounds_of(expectation, days | later, MONDAY) == bounds


def _commit(version: int, since: int, until: int, received: dict[str, tuple[int, int]] | None) -> Commit:
    mark = {"landing.readings": Mark(until, since=since)}
    told = account(version, version, watermark=mark, rows={"read": 40}, received=received)
    return Commit(version, 1_772_409_600_000, "WRITE", {}, {}, told)  # 2026-03-02


def test_commits_tell_days_once_however_often_an_account_is_carried_forward() -> None:
    commits = [
        _commit(3, 2, 3, {"2026-02-28": (30, 1)}),  # a verdict that carries version 2 forward
        _commit(2, 2, 3, {"2026-02-28": (30, 1)}),
        _commit(1, 0, 2, None),  # of an engine that did not tell days
        _commit(0, -1, 0, {}),
    ]

    assert volume.days_of(commits) == {date(2026, 2, 28): Day(30, 1), MONDAY: Day(40, 2)}
