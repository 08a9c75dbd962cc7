"""What OpenLineage is told of runs: valid events of what happened, and nothing that a run waits for or fails by."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from medallion import conf as conf_door
from medallion import lineage, openlineage, run
from medallion.check import Check
from medallion.errors import ConfError
from medallion.session import Sessions, is_remote
from medallion.step import Outcome
from tests.conftest import Lakehouse
from tests.lib.conftest import Lab
from tests.lib.sensors_lab import CONF, MODULES

SCHEMAS = [json.loads(path.read_text()) for path in (Path(__file__).parent / "openlineage_spec").glob("*.json")]
REGISTRY: Registry[Any] = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS]
)


def check(event: dict[str, Any]) -> None:
    """Hold an event against the published schema, and each of its facets against its own."""
    url = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    assert event["schemaURL"] == url
    _hold(event, url)
    for facet in _facets(event):
        _hold(facet, facet["_schemaURL"])


def _hold(value: Any, url: str) -> None:
    validator = Draft202012Validator(
        {"$ref": url}, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    assert [error.message for error in validator.iter_errors(value)] == []


def _facets(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "_schemaURL" in value:
            yield value
        for one in value.values():
            yield from _facets(one)
    elif isinstance(value, list):
        for one in value:
            yield from _facets(one)


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def sensors(scratch: Callable[..., Lakehouse], tmp_path: Path) -> Lakehouse:
    return scratch("sensors", MODULES, CONF, [f"openlineage.to={tmp_path / 'told' / 'events.jsonl'}"])


def test_a_run_is_told_in_valid_events(sensors: Lakehouse, tmp_path: Path) -> None:
    reading = {"id": "a", "by": {"name": "Ada"}, "value": 20}
    sensors.deliver("readings", reading, {"id": "b", "by": {"name": "Ada"}, "value": None})
    if is_remote(sensors.sessions.start()):  # a client cannot tell plans: what was found before is told
        lineage.of(run.prepare(sensors.conf))

    assert sensors.run().passed

    events = told(tmp_path / "told" / "events.jsonl")
    for event in events:
        check(event)
    ended = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    assert [event["eventType"] for event in events if event["job"]["name"] == "sensors"] == ["START", "COMPLETE"]
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in events if "." in event["job"]["name"]} == {
        ended["sensors"]["run"]["runId"]
    }
    (read,) = ended["sensors.bronze.readings"]["inputs"]
    assert (read["name"], read["facets"]["version"]["datasetVersion"]) == ("sensors.landing.readings", "1")
    (written,) = ended["sensors.silver.readings"]["outputs"]
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assert written["facets"]["columnLineage"]["fields"]["keeper"]["inputFields"] == [
        {
            "namespace": "medallion",
            "name": "sensors.bronze.readings",
            "field": "payload.by.name",
            "transformations": [{"type": "DIRECT", "subtype": "IDENTITY", "masking": False}],
        }
    ]
    (written,) = ended["sensors.gold.keepers"]["outputs"]
    decides = written["facets"]["columnLineage"]["dataset"][0]
    assert (decides["field"], decides["transformations"][0]["subtype"]) == ("keeper", "GROUP_BY")
    tag = {"key": "personal", "value": "true", "source": "LINEAGE", "field": "keeper"}
    assert written["facets"]["tags"]["tags"] == [tag]
    (judged,) = ended["sensors.silver.readings.gate"]["inputs"]
    (found,) = judged["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (found["assertion"], found["column"], found["success"]) == ("not_null", "value", False)
    assert found["actual"] == "1 of 2 rows miss it"


def test_what_fails_is_told_without_the_values_that_it_fails_for(sensors: Lakehouse, tmp_path: Path) -> None:
    sensors.deliver("readings", {"id": "a", "by": {"name": "Ada"}, "value": 451})

    assert not sensors.run().passed

    events = told(tmp_path / "told" / "events.jsonl")
    failed = {event["job"]["name"]: event for event in events if event["eventType"] == "FAIL"}
    for event in events:
        check(event)
    assert set(failed) == {"sensors", "sensors.gold.keepers", "sensors.gold.keepers.gate"}
    message = failed["sensors.gold.keepers"]["run"]["facets"]["errorMessage"]["message"]
    assert message == "expectations missed: range(highest)"
    assert "451" not in json.dumps(events)


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]) -> Iterator[str]:
    """Serve on loopback; ``answer`` is given each event that is posted."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    listening.block_on_close = False
    Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()


def _run(lab: Lab, overrides: Sequence[str]) -> float:
    """Tell of a run of three tables, of which one fails; return how long that took."""
    prepared = run.prepare(conf_door.load("lab", overrides, lab.folder))
    sessions = Sessions(prepared.conf)
    began = time.monotonic()
    with openlineage.telling(prepared) as told:
        _take_turns(prepared, sessions)
        told.passed = False
    return time.monotonic() - began


def _take_turns(prepared: run.Run, sessions: Sessions) -> None:
    for name in prepared.tables:
        with openlineage.telling(prepared), openlineage.turn(prepared, name, sessions) as turn:
            turn.outcome = Outcome(
                name, "done", "full", "first load", 0, {"written": 3}, [Check("x", "warn", 0, 3, True)]
            )
    with pytest.raises(ConfError), openlineage.turn(prepared, name, sessions):
        raise ConfError("unusable")


def test_events_are_posted_in_order_with_the_key(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_KEY", "s3cret")
    found: list[tuple[str, str | None, dict[str, Any]]] = []

    def take(request: BaseHTTPRequestHandler, event: dict[str, Any]) -> None:
        found.append((request.path, request.headers["Authorization"], event))
        request.send_response(201)
        request.end_headers()

    with server(take) as address:
        _run(lab, [f"openlineage.to={address}", "openlineage.key=env:LINEAGE_KEY"])

    assert {(path, key) for path, key, _ in found} == {("/api/v1/lineage", "Bearer s3cret")}
    for _, _, event in found:
        check(event)
    kinds = [(event["eventType"], event["job"]["name"]) for _, _, event in found]
    assert (kinds[0], kinds[-1], len(kinds)) == (("START", "lab"), ("FAIL", "lab"), 2 + 4 * 4 + 2)
    assert "s3cret" not in json.dumps([event for _, _, event in found])


@pytest.mark.parametrize("trouble", ["answers 500", "hangs", "is absent"])
def test_whoever_does_not_take_events_holds_nothing_up(
    lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    over = Event()
    monkeypatch.setattr(openlineage, "_LAST_SECONDS", 0.5)

    def refuse(request: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        if trouble == "hangs":
            over.wait(20)
        request.send_response(500)
        request.end_headers()

    with server(refuse) as address, caplog.at_level(logging.WARNING):
        to = "http://127.0.0.1:9" if trouble == "is absent" else address
        took = _run(lab, [f"openlineage.to={to}"])
        over.set()

    assert took < 5  # hangs: 20 s for each event, were they waited for
    (line,) = caplog.messages
    assert line.startswith(f"openlineage: {to} was not told of all this run did: ")
    why = {"answers 500": "500 Internal Server Error", "hangs": "no answer within", "is absent": "refused"}
    assert why[trouble] in line


def test_without_a_receiver_nothing_is_made(lab: Lab) -> None:
    _run(lab, [])

    assert openlineage._emitters == {}


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("openlineage.to=http://me:secret@127.0.0.1", "without anything secret in it"),
        ("openlineage.to=ftp://127.0.0.1", "wanted http(s)://host:port"),
        ("openlineage.key=secret", "found something else than a reference"),
        ("openlineage.key=env:HOME", "only a server asks for one"),
    ],
)
def test_conf_that_cannot_be_used_is_refused(lab: Lab, override: str, wanted: str) -> None:
    with pytest.raises(ConfError, match="openlineage") as refused:
        lab.conf(override)

    assert wanted in str(refused.value)
    assert "secret@" not in str(refused.value)
