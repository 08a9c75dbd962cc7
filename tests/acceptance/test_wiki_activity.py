"""A day of edits of Wikipedia as user activity: every figure equals plain Python's, and nothing is lost."""

import datetime as dt
import gzip
import json
from collections import defaultdict
from pathlib import Path

import pytest

from medallion import conf as conf_door
from medallion.clock import NOW
from tests.acceptance import tracing
from tests.acceptance.accounting import require_balanced, require_passed
from tests.conftest import LAYERS, PROJECT, Lakehouse

EDITS = 16_471


@pytest.fixture(scope="module")
def edits(real_data: Path) -> list[dict]:
    (file,) = [path for path in (real_data / "wikiticker").iterdir() if "json" in path.name]
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in content.splitlines()]


@pytest.fixture(scope="module")
def events(edits: list[dict]) -> list[dict]:
    """Edits as an application would send them; an edit has no id of its own, so that its place is one."""
    return [
        {
            "event_id": f"wiki-{number}",
            "user_id": edit["user"],
            "event_type": " Edit" if number % 2 else "EDIT ",
            "occurred_at": edit["time"],
            "properties": {"page": edit["page"], "delta": edit["delta"]},
        }
        for number, edit in enumerate(edits)
    ]


@pytest.fixture(scope="module")
def lake(events, tmp_path_factory, sessions):
    """Taken in twice, in two deliveries that overlap, as senders do."""
    with pytest.MonkeyPatch.context() as clock:
        clock.setenv(NOW, "2015-09-13T06:00:00+00:00")
        root = tmp_path_factory.mktemp("activity")
        conf = conf_door.load("activity", [f"storage.{layer}.root={root / layer}" for layer in LAYERS], PROJECT)
        lake = Lakehouse(conf, sessions)
        for part in (events[:9000], events[8000:]):
            lake.deliver("events", "\n".join(map(json.dumps, part)), ending="jsonl")
            require_passed(lake.run())
        yield lake


def test_there_are_as_many_edits_as_the_file_says(edits):
    assert len(edits) == EDITS


def test_daily_activity_is_exact(lake, events):
    expected = defaultdict(list)
    for event in events:
        at = dt.datetime.fromisoformat(event["occurred_at"])
        expected[event["user_id"], at.date()].append(at)

    found = lake.rows("activity.gold.daily_user_activity").collect()

    assert {(r.user_id, r.event_date): (r.events, r.event_types) for r in found} == {
        key: (len(times), 1) for key, times in expected.items()
    }
    assert {
        (r.user_id, r.event_date): (r.first_at.astimezone(dt.UTC), r.last_at.astimezone(dt.UTC)) for r in found
    } == {key: (min(times), max(times)) for key, times in expected.items()}


def test_sessions_are_exact(lake, events):
    times = defaultdict(list)
    for event in events:
        times[event["user_id"]].append(dt.datetime.fromisoformat(event["occurred_at"]))
    expected = {}
    for user, moments in times.items():
        number, before = 0, None
        for moment in sorted(moments):
            number += before is None or moment - before > dt.timedelta(minutes=30)
            expected[user, number] = expected.get((user, number), 0) + 1
            before = moment

    found = lake.rows("activity.gold.user_sessions").collect()

    assert {(r.user_id, r.session_number): r.events for r in found} == expected


def test_every_record_is_accounted_for(lake):
    require_balanced(lake)
    assert lake.rows("activity.silver.events").count() == EDITS


@pytest.mark.slow
def test_random_rows_are_made_of_the_payloads_that_a_trace_finds(lake):
    assert not any(tracing.differences(lake).values())
