"""A REST service: every page, what is new only, and patience with a service that is busy or breaks off."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from medallion import clock
from medallion.conf import Connection, SecretRef, Source
from medallion.conf.intake import RestIntake
from medallion.errors import IntakeError
from medallion.intake import http, read_up_to, rest
from medallion.intake.asked import Asked
from tests.lib.bare_landing import bare_landing

Answer = tuple[int, Mapping[str, str], bytes]


class Service:
    """A service on loopback; ``answer`` is given path and query of each request, and ``asked`` keeps them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Mapping[str, str]]] = []
        self.answer: Callable[[str, dict[str, str]], Answer | None] = lambda path, query: (404, {}, b"")
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlparse(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                service.asked.append((parts.path, query, dict(self.headers)))
                answer = service.answer(parts.path, query)
                if answer is None:  # the connection breaks off in the middle of an answer
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
                    self.connection.close()
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/api"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits between tries, which are noted instead of waited for."""
    found: list[float] = []
    monkeypatch.setattr(http, "_sleep", found.append)
    return found


def _take(service: Service, tmp_path: Path, token: SecretRef | None = None, **intake: Any) -> list[list[Any]]:
    """Take in what is new, and return the JSON of each page of each delivery."""
    told = {"kind": "rest", "resource": "users", **intake}
    source = Source.model_validate(
        {"format": "json", "delivers": "events", "system": "s", "records": told.get("records", "$"), "intake": told}
    )
    landing = bare_landing(tmp_path, "users")
    connection = Connection(url=service.url, token=token)
    cursor = read_up_to(landing, None, 0)
    assert isinstance(source.intake, RestIntake)
    asked = Asked("trial.users", source, connection, landing, cursor, None, tmp_path, lambda _: None)
    manifests = rest.take(asked, source.intake).manifests
    return [[json.loads(content) for _, content in landing.contents(one)] for one in manifests]


def _json(content: Any, **headers: str) -> Answer:
    return 200, headers, json.dumps(content).encode()


NUMBERS = list(range(1, 8))


def _paged(path: str, query: dict[str, str]) -> Answer:
    page, size = int(query["page"]), int(query["per_page"])
    return _json(NUMBERS[(page - 1) * size : page * size])


def test_pages_are_read_to_the_last_and_kept_as_they_came(service: Service, tmp_path: Path) -> None:
    service.answer = _paged
    paging = {"by": "page", "parameter": "page", "size_parameter": "per_page", "size": 3}

    assert _take(service, tmp_path, paging=paging) == [[[1, 2, 3], [4, 5, 6], [7]]]
    assert [query for _, query, _ in service.asked] == [{"page": str(n), "per_page": "3"} for n in (1, 2, 3)]
    assert _take(service, tmp_path, paging=paging) == []  # nothing has changed


def test_pages_by_offset_end_with_an_empty_one(service: Service, tmp_path: Path) -> None:
    service.answer = lambda path, query: _json({"data": NUMBERS[int(query["skip"]) :][:3]})

    found = _take(service, tmp_path, records="$.data", paging={"by": "offset", "parameter": "skip"})

    assert found == [[{"data": [1, 2, 3]}, {"data": [4, 5, 6]}, {"data": [7]}]]
    assert [query["skip"] for _, query, _ in service.asked] == ["0", "3", "6", "7"]


def test_pages_by_cursor_end_without_one(service: Service, tmp_path: Path) -> None:
    following = {None: "x", "x": "y", "y": None}
    service.answer = lambda path, query: _json({"items": [1], "meta": {"next": following[query.get("after")]}})

    found = _take(
        service, tmp_path, records="$.items", paging={"by": "cursor", "parameter": "after", "next": "$.meta.next"}
    )

    assert [len(delivery) for delivery in found] == [3]
    assert [query.get("after") for _, query, _ in service.asked] == [None, "x", "y"]


def test_pages_by_link_header(service: Service, tmp_path: Path) -> None:
    def answer(path: str, query: dict[str, str]) -> Answer:
        page = int(query.get("p", "1"))
        return _json([page], **({"Link": f'</api/users?p={page + 1}>; rel="next"'} if page < 3 else {}))

    service.answer = answer

    assert _take(service, tmp_path, paging={"by": "link"}) == [[[1], [2], [3]]]


def test_pages_that_go_in_a_circle_are_left(service: Service, tmp_path: Path) -> None:
    service.answer = lambda path, query: _json([1], Link='</api/users?p=1>; rel="next"')

    with pytest.raises(IntakeError, match=r"trial\.users: page 2 leads back to one before; wanted an end"):
        _take(service, tmp_path, paging={"by": "link"})


def test_a_link_to_another_host_is_not_followed(service: Service, tmp_path: Path) -> None:
    service.answer = lambda path, query: _json([1], Link='<http://localhost:1/steal>; rel="next"')

    with pytest.raises(IntakeError, match=r"trial\.users: its next page is at localhost; wanted 127\.0\.0\.1"):
        _take(service, tmp_path, paging={"by": "link"})


def test_only_what_is_new_is_asked_for(service: Service, tmp_path: Path) -> None:
    rows = [{"id": 1, "at": "2026-01-01T10:00:00Z"}, {"id": 2, "at": "2026-01-02T10:00:00Z"}]
    service.answer = lambda path, query: _json([row for row in rows if str(row["at"]) >= query.get("since", "")])
    since = {"parameter": "since", "field": "$.at", "overlap": "5 minutes"}

    assert _take(service, tmp_path, since=since) == [[rows]]
    rows.append({"id": 3, "at": "2026-01-03T10:00:00Z"})
    assert _take(service, tmp_path, since=since) == [[rows[1:]]]
    assert [query.get("since") for _, query, _ in service.asked] == [None, "2026-01-02T09:55:00Z"]


def test_a_busy_service_is_asked_again_when_it_says(service: Service, tmp_path: Path, pauses: list[float]) -> None:
    answers: list[Answer | None] = [(429, {"Retry-After": "7"}, b""), (503, {}, b""), None, _json([1])]
    service.answer = lambda path, query: answers[len(service.asked) - 1]

    assert _take(service, tmp_path) == [[[1]]]
    assert pauses == [7.0, 2.0, 4.0]


def test_retry_after_may_be_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    monkeypatch.setattr(clock, "seconds_since", lambda moment: -30.0)

    assert http._asked_for(httpx.Response(503, headers={"retry-after": "Fri, 20 Nov 2026 10:00:00 GMT"})) == 30.0
    assert http._asked_for(httpx.Response(503, headers={"retry-after": "soon"})) is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((500, {}, b""), "found status 500, 6 times at most; wanted 200"),
        ((404, {}, b"x"), "found status 404; wanted 200"),
        ((401, {}, b"x"), "found status 401; wanted 200"),
        ((429, {"Retry-After": "3600"}, b""), "asked to wait 3600 s; the next run asks again"),
        ((200, {}, b"<html>"), "found an answer that is no JSON"),
        ((200, {}, b'{"error": 1, "more": []'), "found an answer that is no JSON"),
        ((200, {}, b'{"error": 1}'), "found no list of records at $; wanted one"),
        ((200, {}, b"7"), "found no list of records at $; wanted one"),
        (None, "RemoteProtocolError"),
    ],
)
def test_what_goes_wrong_is_told_and_nothing_is_published(
    service: Service, tmp_path: Path, answer: Answer | None, told: str
) -> None:
    """Also where the first page came well: an intake is one delivery or none."""
    service.answer = lambda path, query: _json([1]) if query["page"] == "1" else answer

    with pytest.raises(IntakeError) as raised:
        _take(service, tmp_path, paging={"by": "page", "parameter": "page"})

    assert told in str(raised.value)
    assert _published(tmp_path) == []


def _published(tmp_path: Path) -> list[Path]:
    return list(tmp_path.rglob("manifests/*.json"))


def test_a_token_is_sent_and_never_told(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAL_TOKEN", "s3cret")
    service.answer = lambda path, query: (403, {}, b"s3cret")

    with pytest.raises(IntakeError) as raised:
        _take(service, tmp_path, token=SecretRef("env:TRIAL_TOKEN"), parameters={"q": "1"})

    assert service.asked[0][2]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(raised.value)
