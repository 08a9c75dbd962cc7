"""The sample of daily logs: the same for the same seed, of any size, and of the shares that real logs have."""

from collections import Counter
from itertools import islice

from jobs.dailylogs.sample import COLUMNS, SIZE, changes, log, rows


def test_rows_follow_from_seed_and_number_alone() -> None:
    assert list(rows(50)) == list(islice(rows(), 50)) == [log(number) for number in range(50)]
    assert list(rows(50, seed=8)) != list(rows(50))
    assert SIZE == 182_281


def test_a_row_has_every_column_and_its_own_key() -> None:
    made = list(rows(2000))

    assert {tuple(row) for row in made} == {COLUMNS}
    assert len({row["job_id"] for row in made}) == 2000
    assert all(row["created_at"] <= row["updated_at"] for row in made)
    assert [row["created_at"] for row in made] == sorted(row["created_at"] for row in made)


def test_logs_are_spread_as_real_ones_are() -> None:
    made = list(rows(3000))

    assert {"Completed", "Cancelled"} < {row["status"] for row in made}
    assert 0.5 < sum(row["status"] == "Completed" for row in made) / 3000 < 0.75
    assert 0 < sum(row["notes"] is None for row in made) < 300
    assert 0 < sum(row["permit"] is None for row in made) < 500
    assert len({row["site_number"] for row in made}) > 300
    assert len({row["county"] for row in made}) == 10
    assert any("é" in row["notes"] for row in made if row["notes"])


def test_a_share_is_changed_each_row_at_most_once_and_the_same_each_time() -> None:
    happened = list(changes(7, 0.1, 2000))

    assert happened == list(changes(7, 0.1, 2000))
    assert Counter(kind for kind, _ in happened) == {"update": 140, "insert": 40, "delete": 20}
    assert len({row["job_id"] for _, row in happened}) == 200
    for kind, row in happened:
        before = log(int(row["job_id"][3:]) - 1)
        if kind == "update":
            assert row["updated_at"] > before["updated_at"]
            assert row["notes"].startswith(before["notes"] or "")
        else:
            assert row == before
