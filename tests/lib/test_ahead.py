"""What is made ahead comes in order, one item ahead at most, and fails in its own turn."""

import threading
from collections.abc import Iterator

import pytest

from medallion.ahead import one_ahead


def test_each_item_comes_with_what_was_made_of_it() -> None:
    assert list(one_ahead(range(4), lambda n: n * n)) == [(0, 0), (1, 1), (2, 4), (3, 9)]
    assert list(one_ahead([], str)) == []


def test_the_next_item_is_made_meanwhile_and_none_after_it() -> None:
    made = [threading.Event() for _ in range(4)]
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(4):
            taken.append(n)
            yield n

    for n, _ in one_ahead(items(), lambda n: made[n].set()):
        if n + 1 < len(made):
            assert made[n + 1].wait(10)
        assert max(taken) <= n + 1


def test_a_failure_waits_for_its_turn() -> None:
    found = one_ahead([1, 0, 2], lambda n: 2 // n)

    assert next(found) == (1, 2)
    with pytest.raises(ZeroDivisionError):
        next(found)
