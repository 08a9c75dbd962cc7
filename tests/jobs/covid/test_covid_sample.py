import csv
import io

import pytest

from jobs.covid import sample
from jobs.covid.sample import counts
from medallion import conf


def files(day, source="daily_reports", **options):
    return [file for one in sample.deliveries(day, **options) if one.source == source for file in one.files]


def lines(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_same_seed_makes_the_same_and_another_other_counts():
    assert files(0) == files(0)
    assert files(0) != files(0, seed=8)


def test_history_has_all_layouts_line_ends_and_both_kinds_of_bytes_at_the_beginning():
    reports = [content for _, content in files(0)]

    assert len(reports) == sample.HISTORY_DAYS
    assert len({tuple(lines(content)[0]) for content in reports}) == 5
    assert {content.startswith(b"\xef\xbb\xbf") for content in reports} == {True, False}
    crlf = [(content.count(b"\r\n"), content.count(b"\n")) for content in reports]
    assert any(windows == 0 for windows, _ in crlf)
    assert any(windows == all_ends for windows, all_ends in crlf)
    assert any(0 < windows < all_ends for windows, all_ends in crlf)


def test_every_column_but_one_is_named_in_conf():
    known = conf.load("covid").source("daily_reports").columns

    headers = {name for _, content in files(0) for name in lines(content)[0]}

    assert known is not None
    assert headers - known.keys() == {"Testing_Rate"}


def test_every_kind_of_dirt_is_there_once_a_report():
    rows = lines(files(1)[-1][1])

    for spoilt in ("Negative", "No Number", "Lost", "No Time", "Ragged"):
        assert sum(row[1] == spoilt for row in rows) == 1, spoilt
    assert [row[7] for row in rows if row[1] == "Twice"] == ["6", "5"]
    assert len(rows) == 1 + len(counts.REGIONS) + len(sample.DIRT) + 1  # a header; of one kind there are two lines


def test_the_next_day_restates_earlier_ones():
    (_, before), (_, after) = (files(day, "country_series")[0] for day in (0, 1))
    told, anew = ({(row[1], row[0]): row[2:] for row in lines(content)[1:]} for content in (before, after))

    changed = [key for key in told if anew[key] != told[key]]

    assert {day for _, day in changed} == {str(sample.date_of(day)) for day in (-2, 0)}
    again = dict(files(1))[f"{sample.DAY_0:%m-%d-%Y}.csv"]
    assert again != dict(files(0))[f"{sample.DAY_0:%m-%d-%Y}.csv"]


def test_counts_never_fall_in_the_end():
    for region in counts.REGIONS:
        final = [counts.reported(region, age, 100, 7)[0] for age in range(60)]
        assert final == sorted(final)


def test_a_day_before_the_first_is_refused():
    with pytest.raises(ValueError, match="found day -1; wanted a day from 0"):
        list(sample.deliveries(-1))
