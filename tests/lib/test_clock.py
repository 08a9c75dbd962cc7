"""The one door to time."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from medallion import clock
from medallion.errors import ConfError


def test_now_is_the_present_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDALLION_NOW", raising=False)

    moment = clock.now()

    assert moment.tzinfo is UTC
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T06:00:00Z", datetime(2026, 1, 31, 6, tzinfo=UTC)),
        ("2026-01-31T06:00:00.250000+00:00", datetime(2026, 1, 31, 6, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-02-01T01:30:00+05:30", datetime(2026, 1, 31, 20, tzinfo=UTC)),
    ],
)
def test_now_stands_still_where_it_is_set(monkeypatch: pytest.MonkeyPatch, text: str, moment: datetime) -> None:
    monkeypatch.setenv("MEDALLION_NOW", text)

    assert clock.now() == clock.now() == moment
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["2026-01-31", "2026-01-31T06:00:00", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+05:00"],
)
def test_now_refuses_what_is_no_instant(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MEDALLION_NOW", text)

    with pytest.raises(ConfError, match=re.escape(f"MEDALLION_NOW: found {text!r}; wanted an instant")):
        clock.now()


def test_run_date_is_the_date_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDALLION_NOW", "2026-02-01T01:30:00+05:30")

    assert clock.run_date() == date(2026, 1, 31)


def test_run_ids_sort_by_time_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = ["0999-12-31T23:59:59Z", "2025-12-31T23:59:59.999999Z", "2026-01-01T00:00:00Z"]
    ids = []
    for moment in moments:
        monkeypatch.setenv("MEDALLION_NOW", moment)
        ids += [clock.new_run_id(), clock.new_run_id()]

    assert all(re.fullmatch(r"\d{8}T\d{12}Z-[0-9a-f]{8}", run_id) for run_id in ids)
    assert [run_id[:22] for run_id in sorted(ids)] == [run_id[:22] for run_id in ids]
    assert len(set(ids)) == len(ids)
