"""Lengths of time in conf."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.conf.duration import Duration, parse_duration


@pytest.mark.parametrize(
    ("text", "length", "written"),
    [
        ("7 years", timedelta(days=2555), "7 years"),
        ("1 year", timedelta(days=365), "1 year"),
        ("90 days", timedelta(days=90), "90 days"),
        ("2 weeks", timedelta(days=14), "14 days"),
        ("12 hours", timedelta(hours=12), "12 hours"),
        ("36 hours", timedelta(hours=36), "36 hours"),
        ("24 hours", timedelta(days=1), "1 day"),
        (" 730  days ", timedelta(days=730), "2 years"),
    ],
)
def test_a_duration_is_parsed_and_written_back(text: str, length: timedelta, written: str) -> None:
    duration = parse_duration(text)

    assert (duration, str(duration)) == (length, written)
    assert duration.hours == length / timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    ["", "7", 7, None, "years", "0 days", "-1 days", "1.5 days", "2 months", "1001 years", "9999999 years"],
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="wanted a length of time such as 7 years, 90 days or 12 hours"):
        parse_duration(text)


@given(hours=st.integers(1, 1000 * 365 * 24))
def test_a_duration_survives_being_written_and_read(hours: int) -> None:
    duration = Duration(hours=hours)

    assert parse_duration(str(duration)) == duration
