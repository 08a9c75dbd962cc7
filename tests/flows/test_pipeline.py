"""The flow: order, retries, gates and notices. What a step does is tested with the engine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect.artifacts import Artifact
from prefect.testing.utilities import prefect_test_harness

from flows.pipeline import Host, RunFailedError, hosted, refresh
from medallion import bronze
from medallion.errors import LandingError
from medallion.step import Outcome

CONF = """
description: Readings of a few sensors
sources:
  readings: {format: json, delivers: events, idempotency_key: $.delivery_id, key: $.id, system: sensors}
expectations:
  silver.readings:
    - {rule: unique, columns: [place]}
"""
MODULES = {
    "bronze/readings.py": """
\"\"\"Readings as delivered.\"\"\"
from medallion.tables import Bronze

table = Bronze(source="readings")
""",
    "silver/readings.py": """
\"\"\"One row a reading.\"\"\"
from pyspark.sql import functions as F

from medallion.tables import CARRIED, Silver

table = Silver(
    reads="{name}.bronze.readings",
    key=("id",),
    sequence=("at",),
    columns={"id": ("string", "Id"), "at": ("bigint", "When"), "place": ("string", "Where")},
)


@table.transform
def readings(records):
    parsed = F.from_json("payload", "id string, at bigint, place string")
    return records.withColumn("r", parsed).select("r.id", "r.at", "r.place", *CARRIED)
""",
    "gold/places.py": """
\"\"\"One row a place.\"\"\"
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="{name}.silver.readings",
    dimensions={"place": "place"},
    measures={"readings": Measure("count")},
    columns={"place": ("string", "Where"), "readings": ("bigint", "Readings")},
)
""",
}


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def sensors(
    scratch: Callable[..., Any], prefect_api: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Any, list[str]]]:
    """Return a factory of a tiny pipeline, and the overrides that a flow needs to find its lake."""

    def make(name: str) -> tuple[Any, list[str]]:
        modules = {place: text.replace("{name}", name) for place, text in MODULES.items()}
        lake = scratch(name, modules, CONF)
        monkeypatch.setenv("MEDALLION_HOME", str(lake.conf.project))
        roots = [
            f"storage.{layer}.root={lake.conf.root(layer)}" for layer in ("landing", "bronze", "silver", "gold", "ops")
        ]
        return lake, [*roots, "runtime.retry_delay_seconds=0"]

    return make


def reading(number: int, place: str) -> dict[str, Any]:
    return {"delivery_id": f"d{number}", "id": f"r{number}", "at": number, "place": place}


def test_flow_refreshes_every_table_and_leaves_artifacts(sensors: Any) -> None:
    lake, overrides = sensors("flowing")
    lake.deliver("readings", reading(1, "roof"), reading(2, "cellar"))
    told: list[Outcome | str] = []

    with hosted(Host(lake.sessions, told.append)):
        report = refresh("flowing", overrides)

    assert report.passed
    assert [o.table for o in report.outcomes] == [
        "flowing.bronze.readings",
        "flowing.silver.readings",
        "flowing.gold.places",
    ]
    assert {tuple(row) for row in lake.rows("flowing.gold.places").collect()} == {("roof", 1), ("cellar", 1)}
    assert "flowing.gold.places" in told
    markdown = Artifact.get("flowing-report")
    assert markdown is not None and "flowing.silver.readings" in str(markdown.data)
    quality = Artifact.get("flowing-quality")
    assert quality is not None and "unique(place)" in str(quality.data)


def test_flow_that_fails_its_gate_keeps_readers_where_they_were_and_tells(
    sensors: Any, receiver: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, received = receiver
    monkeypatch.setenv("FAILURE_WEBHOOK", address)
    lake, overrides = sensors("gated")
    overrides = [*overrides, "notifications.on_failure=env:FAILURE_WEBHOOK"]
    lake.deliver("readings", reading(1, "roof"))
    with hosted(Host(lake.sessions)):
        refresh("gated", overrides)
        lake.deliver("readings", reading(2, "roof"))

        with pytest.raises(RunFailedError, match=r"gated\.silver\.readings: version 1 did not pass.*unique\(place\)"):
            refresh("gated", overrides)

    assert {tuple(row) for row in lake.rows("gated.gold.places").collect()} == {("roof", 1)}
    assert [message["pipeline"] for message in received] == ["gated"]
    assert received[0]["state"] == "Failed"
    assert "did not pass its gate" in received[0]["message"]


def test_flow_tries_again_where_the_outside_is_touched(sensors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, overrides = sensors("retrying")
    lake.deliver("readings", reading(1, "roof"))
    real, failures = bronze.ingest, iter([LandingError("the disk was away")])

    def flaky(*arguments: Any) -> Outcome:
        for failure in failures:
            raise failure
        return real(*arguments)

    monkeypatch.setattr(bronze, "ingest", flaky)

    with hosted(Host(lake.sessions)):
        report = refresh("retrying", overrides)

    assert report.passed


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Receive notices on loopback: the address to post to, and what came."""
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/", received
    server.shutdown()
    serving.join()
    server.server_close()
