import json
from collections import Counter

import pytest

from jobs.activity import sample


def lines(day, **options):
    (delivery,) = sample.deliveries(day, **options)
    ((_, content),) = delivery.files
    return content.splitlines()


def test_the_same_seed_makes_the_same_and_another_other_events():
    assert lines(0) == lines(0)
    assert lines(0) != lines(0, seed=8)
    assert not {*lines(1)} & {*lines(0)}


def test_every_kind_of_dirt_is_there():
    broken = [line for line in lines(0, users=100) if not line.endswith(b"}")]
    sound = [json.loads(line) for line in lines(0, users=100) if line.endswith(b"}") and line not in broken]

    assert broken
    assert any(event["event_type"] == "teleport" for event in sound)
    assert any(event["user_id"] is None for event in sound)
    assert any(event["occurred_at"] is None for event in sound)
    assert any(event["event_id"].isspace() for event in sound)
    times = {str(event["occurred_at"])[:4] for event in sound}
    assert {"1970", "2999"} <= times
    assert any(not str(event["occurred_at"]).endswith(("Z", "None")) for event in sound)


def test_some_deliveries_come_twice():
    times = Counter(lines(0))

    assert 0.01 < sum(count > 1 for count in times.values()) / len(times) < 0.03


@pytest.mark.parametrize(("day", "options"), [(-1, {}), (0, {"users": 0})])
def test_a_size_that_makes_none_is_refused(day, options):
    with pytest.raises(ValueError, match="wanted a day from 0 and at least one user"):
        list(sample.deliveries(day, **options))
