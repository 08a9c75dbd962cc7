"""GitHub's example webhooks, signed and posted to the receiver: each ends as an event of activity or in quarantine."""

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from medallion import conf as conf_door
from medallion import quarantine
from medallion.clock import NOW
from medallion.receiver.app import app_of
from medallion.receiver.webhook import signature
from tests.acceptance.accounting import require_balanced, require_passed
from tests.conftest import LAYERS, PROJECT, Lakehouse

AT = "2026-01-30T06:00:00+00:00"
SECONDS = "1769752800"
KEY = b"example" * 5
# What a kind of webhook is among the types of activity, by the last word of its name; others have none there.
TYPES = {"comment": "comment", "push": "edit", "gollum": "edit", "fork": "share", "star": "share", "create": "edit"}


@pytest.fixture(scope="module")
def examples(real_data: Path) -> dict[str, dict[str, Any]]:
    """Payloads by the name of their file, told apart by a number."""
    files = sorted((real_data / "github_webhooks").rglob("*.json"))
    return {f"{number}-{file.parent.name}": json.loads(file.read_bytes()) for number, file in enumerate(files)}


def as_event(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    kind = name.split("-", 1)[1]
    return {
        "event_id": name,
        "user_id": (payload.get("sender") or {}).get("login"),
        "event_type": TYPES.get(kind.rpartition("_")[2], kind),
        "occurred_at": (payload.get("repository") or {}).get("updated_at"),
        "properties": payload,
    }


@pytest.fixture(scope="module")
def posted(examples, tmp_path_factory, sessions) -> tuple[Lakehouse, Counter]:
    """A lake that took in every payload, as an event of ours and once as it is; each of them posted twice."""
    root = tmp_path_factory.mktemp("github")
    (root / "key").write_text(base64.b64encode(KEY).decode())
    overrides = [f"storage.{layer}.root={root / layer}" for layer in LAYERS]
    overrides.append(f"connections.activity.events.keys=[file:{root / 'key'}]")
    with pytest.MonkeyPatch.context() as clock:
        clock.setenv(NOW, AT)
        conf = conf_door.load("activity", overrides, PROJECT)
        statuses: Counter = Counter()
        with TestClient(app_of([conf])) as client:
            for name, payload in examples.items():
                for id_, content in ((name, as_event(name, payload)), (f"{name}-raw", payload)):
                    body = json.dumps(content).encode()
                    headers = {
                        "content-type": "application/json",
                        "webhook-id": id_,
                        "webhook-timestamp": SECONDS,
                        "webhook-signature": signature(KEY, id_, SECONDS, body),
                    }
                    for _ in range(2):
                        answer = client.post("/v1/activity/events", content=body, headers=headers)
                        statuses[answer.status_code] += 1
        lake = Lakehouse(conf, sessions)
        require_passed(lake.run())
        yield lake, statuses


def test_every_payload_is_acknowledged_once_and_stored_once(posted, examples):
    lake, statuses = posted

    assert statuses == {202: 2 * len(examples), 200: 2 * len(examples)}
    stored = lake.stored("activity.bronze.events").select("payload").collect()
    assert sorted(row.payload for row in stored) == sorted(
        json.dumps(content) for name, payload in examples.items() for content in (as_event(name, payload), payload)
    )


def test_each_ends_as_an_event_or_in_quarantine_with_a_reason(posted, examples):
    lake, _ = posted
    expected = {
        name
        for name, payload in examples.items()
        for event in [as_event(name, payload)]
        if event["event_type"] in TYPES.values() and event["user_id"] and event["occurred_at"]
    }

    found = lake.rows("activity.silver.events").collect()
    rejected = lake.sessions.start().read.format("delta").load(_quarantine_path(lake)).collect()

    assert {row.event_id for row in found} == expected
    assert len(expected) > 10
    assert len(found) + len(rejected) == 2 * len(examples)
    assert all(row.outcome == "quarantined" and row.reasons for row in rejected)


def test_every_record_is_accounted_for(posted):
    require_balanced(posted[0])


def _quarantine_path(lake: Lakehouse) -> str:
    from medallion import run

    running = run.prepare(lake.conf)
    return running.lake.path(quarantine.name_of(running.tables["activity.silver.events"]))
