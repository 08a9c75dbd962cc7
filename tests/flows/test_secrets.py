"""Secrets stay secret: each setting that takes one holds a canary, all fails at DEBUG, and it is found nowhere."""

import base64
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prefect.settings import PREFECT_HOME, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from flows.pipeline import Host, RunFailedError, hosted, refresh
from medallion.conf.intake import Connection
from medallion.conf.notifications import Email, Notifications, Webhook
from medallion.conf.platform import Platform
from medallion.conf.secret import SecretRef
from medallion.intake import http

PIPELINE = """
description: Sources that all fail
sources:
  users: {format: json, delivers: snapshot, system: s, records: $, intake: {kind: rest, resource: users}}
  rows: {format: json, delivers: snapshot, system: s, intake: {kind: database, table: t, key: [id]}}
  posts: {format: json, delivers: events, system: s, idempotency_key: $.id, intake: {kind: webhook}}
"""
SETTINGS = {
    "connections.telling.users.token": "TOKEN",
    "connections.telling.rows.password": "PASSWORD",
    "connections.telling.posts.keys": "KEY",
    "notifications.on_failure": "ON_FAILURE",
    "notifications.on_completion": "ON_COMPLETION",
    "notifications.channels.url": "HOOK",
    "notifications.channels.password": "MAIL",
}
RULES = {"notifications.on_late", "notifications.on_anomaly", "notifications.on_recovery"}  # as on_failure is


@pytest.fixture
def service() -> Iterator[str]:
    """A service that fails, and repeats in its answer whatever it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = f"{self.path} {self.headers}".encode()
            self.send_response(500, "refused")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_every_setting_that_takes_a_secret_has_a_canary() -> None:
    def taking(part: Any, key: str) -> set[str]:
        fields = part.model_fields.items()
        return {f"{key}.{name}" for name, field in fields if "SecretRef" in str(field.annotation)}

    known = taking(Connection, "connections") | taking(Notifications, "notifications") - RULES
    known |= taking(Webhook, "notifications") | taking(Email, "notifications")
    assert known == {f"{key.split('.')[0]}.{key.rpartition('.')[2]}" for key in SETTINGS}
    others = [str(field.annotation) for field in Platform.model_fields.values()]
    assert not any(SecretRef.__name__ in annotation for annotation in others)


@pytest.mark.slow
def test_no_secret_is_found_in_anything_that_a_failing_run_leaves(
    scratch: Callable[..., Any],
    service: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    modules = {
        f"bronze/{source}.py": f"from medallion.tables import Bronze\ntable = Bronze(source='{source}')\n"
        for source in ("users", "rows", "posts")
    }
    lake = scratch("telling", modules, PIPELINE)
    canaries = {name: f"canary-{name.lower()}-Zq7+/x" for name in SETTINGS.values()}
    for name, canary in canaries.items():
        monkeypatch.setenv(name, f"{service}/hook/{canary}" if name.startswith(("ON_", "HOOK")) else canary)
    monkeypatch.setenv("MEDALLION_HOME", str(lake.conf.project))
    monkeypatch.setattr(http, "_sleep", lambda seconds: None)
    given = [
        *[f"storage.{layer}.root={lake.conf.root(layer)}" for layer in ("landing", "bronze", "silver", "gold", "ops")],
        "runtime.retries=0",
        f'connections={{telling.users: {{url: "{service}", token: "env:TOKEN"}},'
        ' telling.rows: {url: "postgresql://127.0.0.1:1/none", user: me, password: "env:PASSWORD"},'
        ' telling.posts: {keys: ["env:KEY"]}}',
        "notifications={on_failure: env:ON_FAILURE, on_completion: env:ON_COMPLETION, on_late: [hook, mail], "
        "channels: {"
        'hook: {kind: webhook, url: "env:HOOK"}, mail: {kind: email, host: 127.0.0.1, port: 1, sender: a@b.org,'
        ' to: [c@d.org], user: u, password: "env:MAIL"}}}',
    ]
    caplog.set_level(logging.DEBUG)
    with temporary_settings({PREFECT_HOME: tmp_path / "prefect"}), prefect_test_harness(server_startup_timeout=120):
        with hosted(Host(lake.sessions)), pytest.raises(RunFailedError) as failed:
            refresh("telling", given)

    told = f"{failed.value} {caplog.text} {''.join(capfd.readouterr())}"
    assert "status 500" in told and "PostgreSQL says" in told and "on_failure" in told
    kept = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(kept) > 5
    for name, canary in canaries.items():
        for form in (canary, quote(canary, safe=""), base64.b64encode(canary.encode()).decode()):
            assert form not in told, name
            assert [path for path, content in kept.items() if form.encode() in content] == [], name
