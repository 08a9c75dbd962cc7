"""Every route of the two apps, from the apps themselves: which needs a signature, which is open and why."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from medallion.audit import doors
from medallion.audit.finding import Result
from medallion.cache import page as cache_page
from medallion.conf import Conf
from medallion.receiver import app as receiver_app
from medallion.receiver import webhook
from medallion.receiver.app import app_of
from medallion.receiver.inbox import Inbox
from tests import figures
from tests.lib.cache_lab import Yard
from tests.security.surroundings import unchanged

NOW = datetime(2026, 1, 30, 6, tzinfo=UTC)
AT = str(int(NOW.timestamp()))
KEY = b"a key of 24 bytes or more"
GATE = """
description: A gate
sources:
  posted: {format: json, delivers: events, system: gate, intake: {kind: webhook}}
"""
SIGNED = "signed by a key of its source; without keys, posts of this machine only"
LIVES = "says that the process lives; a balancer asks it"
READY = "says whether posts would be stored, by the names of sources; a balancer asks it"
# Route and methods, and who may ask. A route that is not here is not thought about: write down who may ask it.
RECEIVER = {
    ("/v1/{pipeline}/{source}", "POST"): SIGNED,
    ("/health", "GET"): LIVES,
    ("/health", "HEAD"): LIVES,
    ("/health/ready", "GET"): READY,
    ("/health/ready", "HEAD"): READY,
}
READ = "open to who reaches the port: loopback, unless conf says otherwise, which the audit calls red"
FILES = "style, icon and script of the pages: nothing of the lake"
PAGES = {
    **{(path, method): READ for path in ("/", "/health") for method in ("GET", "HEAD")},
    ("/_files/*", "GET"): FILES,
    ("/_files/*", "HEAD"): FILES,
    **{(f"/{{pipeline}}/{{table}}{end}", method): READ for end in ("", ".json", "/log") for method in ("GET", "HEAD")},
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDALLION_NOW", NOW.isoformat())


@pytest.fixture
def gate(project: Callable[..., Conf], tmp_path: Path) -> Conf:
    """A pipeline whose source is posted to with signatures."""
    (tmp_path / "key").write_text(b64encode(KEY).decode())
    return project("gate", {}, GATE, [f"connections.gate.posted.keys=[file:{tmp_path / 'key'}]"])


@contextmanager
def opened(app: Starlette) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def routes_of(app: Starlette) -> set[tuple[str, str]]:
    """Return every route with each of its methods, mounted ones as a star."""
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        if isinstance(route, Mount):
            found |= {(f"{route.path}/*", method) for method in ("GET", "HEAD")}
        else:
            assert isinstance(route, Route), f"{route}: of a kind this test does not know"
            found |= {(route.path, method) for method in route.methods or METHODS}
    return found


def _hold(app: Starlette, declared: dict[tuple[str, str], str]) -> None:
    found = routes_of(app)
    unexpected = found ^ set(declared)
    figures.note("routes", found=len(found), unexpected=len(unexpected))
    assert unexpected == set()


def test_every_route_of_the_receiver_is_declared(gate: Conf) -> None:
    _hold(app_of([gate], lambda _: None), RECEIVER)


def test_every_route_of_the_pages_is_declared(yard: Yard) -> None:
    _hold(cache_page.application([yard.conf()]), PAGES)


def test_a_route_that_is_not_declared_is_seen(gate: Conf) -> None:
    """Control: one more route, and the table above does not hold."""
    app = app_of([gate], lambda _: None)
    app.routes.append(Route("/debug", lambda request: None, methods=["GET"]))

    is_red = routes_of(app) != set(RECEIVER)
    figures.control("routes", "a new route", red=is_red)
    assert is_red


@pytest.mark.parametrize("which", ["receiver", "pages"])
def test_no_other_method_is_taken_anywhere(gate: Conf, filled: Yard, which: str) -> None:
    app = app_of([gate], lambda _: None) if which == "receiver" else cache_page.application([filled.conf()])
    declared = RECEIVER if which == "receiver" else PAGES
    values = {"{pipeline}": "gate", "{source}": "posted", "{table}": "silver.logs", "*": "pages.css"}
    with opened(app) as client:
        for path in {path for path, _ in declared}:
            address = path
            for name, value in values.items():
                address = address.replace(name, value)
            for method in (one for one in METHODS if (path, one) not in declared):
                answer = client.request(method, address)
                assert answer.status_code in (400, 404, 405), (method, address, answer.status_code)


def _signed(body: bytes, key: bytes = KEY, id: str = "id-1", at: str = AT) -> dict[str, str]:
    signature = webhook.signature(key, id, at, body)
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": at,
        "webhook-signature": signature,
    }


def _stored(conf: Conf) -> int:
    folder = Path(conf.root("landing"), "gate", "posted")
    return Inbox(folder).waiting() if folder.exists() else 0


OLD = str(int(NOW.timestamp()) - 301)
UNWANTED: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "no signature": lambda body: {**_signed(body), "webhook-signature": ""},
    "an empty signature": lambda body: {**_signed(body), "webhook-signature": "v1,"},
    "another key": lambda body: _signed(body, b"another key of 24 bytes, or more"),
    "an empty key": lambda body: _signed(body, b""),
    "another version": lambda body: {
        **_signed(body),
        "webhook-signature": "v0" + _signed(body)["webhook-signature"][2:],
    },
    "a signature by another algorithm": lambda body: {
        **_signed(body),
        "webhook-signature": "v1," + b64encode(hashlib.sha256(KEY + body).digest()).decode(),
    },
    "another body": lambda body: _signed(body + b" "),
    "another id": lambda body: {**_signed(body), "webhook-id": "id-2"},
    "another time": lambda body: {**_signed(body), "webhook-timestamp": str(int(AT) + 1)},
    "an old one": lambda body: _signed(body, at=OLD),
    "one of the future": lambda body: _signed(body, at=str(int(AT) + 301)),
    "an old one with a time of now": lambda body: {**_signed(body, at=OLD), "webhook-timestamp": AT},
    "no time": lambda body: {name: value for name, value in _signed(body).items() if name != "webhook-timestamp"},
    "a signature twice over": lambda body: {**_signed(body), "webhook-signature": "v1,a " * 11},
}


@pytest.mark.parametrize("what", UNWANTED)
def test_whoever_has_no_key_writes_nothing(gate: Conf, tmp_path: Path, what: str) -> None:
    body = b'{"a": 1}'
    with opened(app_of([gate], lambda _: None)) as client, unchanged(tmp_path, "lake"):
        answer = client.post("/v1/gate/posted", content=body, headers=UNWANTED[what](body))

    assert answer.status_code == (400 if what == "no time" else 401)
    assert _stored(gate) == 0


def test_who_has_the_key_writes(gate: Conf) -> None:
    with opened(app_of([gate], lambda _: None)) as client:
        assert client.post("/v1/gate/posted", content=b"{}", headers=_signed(b"{}")).status_code == 202

    assert _stored(gate) == 1


@pytest.mark.parametrize("protection", ["is_signed", "is_current"])
def test_without_the_look_at_signature_and_time_anybody_writes(
    gate: Conf, monkeypatch: pytest.MonkeyPatch, protection: str
) -> None:
    place = receiver_app if protection == "is_signed" else webhook
    from medallion.receiver import request

    monkeypatch.setattr(place if protection == "is_signed" else request, protection, lambda *_: True)
    what = "another key" if protection == "is_signed" else "an old one"
    with opened(app_of([gate], lambda _: None)) as client:
        client.post("/v1/gate/posted", content=b"{}", headers=UNWANTED[what](b"{}"))

    is_red = _stored(gate) == 1
    figures.control("routes", f"{what} is refused", red=is_red)
    assert is_red


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid", ""])
def test_pages_that_are_open_beyond_this_machine_are_red_in_the_audit(yard: Yard, host: str) -> None:
    """They have no sign-in; docs/cache.md wants a proxy in front, so it is not refused."""
    if not host:
        with pytest.raises(Exception, match=r"cache\.host"):
            yard.conf("cache.host=''")
        return

    assert _red(yard.conf(f"cache.host='{host}'")) == ["pages without a sign-in are open beyond this machine"]


def test_pages_on_loopback_are_not(yard: Yard) -> None:
    assert [_red(yard.conf(f"cache.host='{host}'")) for host in ("127.0.0.1", "::1", "localhost")] == [[], [], []]


def test_the_receivers_source_without_keys_is_red_in_the_audit_beyond_this_machine(
    project: Callable[..., Conf],
) -> None:
    assert _red(project("gate", {}, GATE, ["receiver.host='0.0.0.0'"])) == [
        "anybody may post to sources, from beyond this machine"
    ]


def _red(conf: Conf) -> list[str]:
    """Return what the audit of open doors calls red of conf alone."""

    class Pinned:
        """What is looked at: conf; and no table, no log."""

        def __init__(self) -> None:
            self.conf = conf

        def every(self) -> list[Any]:
            return []

    result = Result(10)
    doors.check(Pinned(), result)  # type: ignore[arg-type]
    return [finding.what for finding in result.findings]


ASTRAY = (
    "/v1/../../canary", "/v1/%2e%2e/%2e%2e/canary", "/v1/..%2f..%2fcanary/x", "/v1/gate/..%2fposted",
    "/v1/gate/posted/",
    "/v1/gate/posted/../../../canary", "/v1/gate/posted%00", "/v1/gate/posted%2f..%2f..", "/v1/%2fetc/passwd",
    "/v1/GATE/posted", "/v1/gate/Posted", "/v1/gate/p%6fsted%20", "/v1/gate/po\u0455ted", "/v1//posted", "//v1/gate/x",
    "/v1/gate/" + "a" * 5000, "/_files/../page.py", "/_files/%2e%2e/page.py", "/_files/..%2f..%2fpage.py",
    "/_files/%00",
    "/_files//etc/passwd", "/_files/%2fetc/passwd", "/_files/..%5cpage.py", "/_files/....//page.py",
    "/_files/" + "a" * 5000,
    "/../canary", "/%2e%2e/canary", "/yard/..%2f..%2fcanary", "/yard/silver.logs%00", "/yard/silver.logs/../../canary",
    "/yard/silver.logs.sqlite", "/yard/silver.logs%2f..", "/YARD/silver.logs",
)  # fmt: skip


@pytest.mark.parametrize("which", ["receiver", "pages"])
def test_an_address_leads_to_a_route_or_nowhere(gate: Conf, filled: Yard, tmp_path: Path, which: str) -> None:
    """Sent as they are: a client of its own would tidy them up first."""
    app = app_of([gate], lambda _: None) if which == "receiver" else cache_page.application([filled.conf()])
    escaped = []
    with opened(app) as client, unchanged(tmp_path, "lake", "data") as around:
        for address in ASTRAY:
            status, body = _asked(client, address, "POST" if which == "receiver" else "GET")
            if status not in (400, 404, 405, 414) or around.canary.read_bytes() in body or b"import" in body:
                escaped.append((address, status))

    figures.note("path traversal", tried=len(ASTRAY), outside=len(escaped) + around.outside)
    assert escaped == []


def _asked(client: TestClient, address: str, method: str) -> tuple[int, bytes]:
    """Ask an app for an address as it is on the wire."""
    from urllib.parse import unquote

    sent: list[dict[str, Any]] = []
    path = unquote(address)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": address.encode(), "query_string": b"", "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in _signed(b"{}").items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    return sent[0]["status"], b"".join(chain(message.get("body", b"") for message in sent))
