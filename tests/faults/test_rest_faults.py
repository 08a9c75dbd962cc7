"""A REST service that hangs, drips, cuts off or lies: told in bounded time, nothing half is published, then all is."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from medallion.conf import Connection, Source
from medallion.conf.intake import RestIntake
from medallion.errors import IntakeError
from medallion.intake import http, read_up_to, rest
from medallion.intake.asked import Asked
from tests import figures
from tests.lib.bare_landing import bare_landing

Answer = Callable[[socket.socket, threading.Event], None]
PAGES = [[{"id": 1}, {"id": 2}], [{"id": 3}, {"id": 4}], [{"id": 5}]]
RECORDS = [record for page in PAGES for record in page]


def _whole(page: int) -> bytes:
    body = json.dumps(PAGES[page]).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Service:
    """A service of three pages, at the bytes of a socket; ``spoilt`` is what becomes of page 2 and how often."""

    def __init__(self) -> None:
        self.spoilt: Answer | None = None
        self.times = 1000
        self.asked: list[int] = []
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._start(self._accept)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._start(self._serve, self._socket.accept()[0])

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while request := self._request(connection):
                page = int(re.findall(r"[?&]page=(\d+)", request)[0])
                self.asked.append(page)
                if page == 2 and self.spoilt is not None and self.times > 0:
                    self.times -= 1
                    self.spoilt(connection, self._ended)
                    return
                connection.sendall(_whole(page - 1))

    def _request(self, connection: socket.socket) -> str:
        text = b""
        while b"\r\n\r\n" not in text:
            more = connection.recv(4096)
            if not more:
                return ""
            text += more
        return text.decode()

    def stop(self) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)


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
    monkeypatch.setattr(http, "_SILENT_SECONDS", 0.3)
    return found


def _take(service: Service, folder: Path, seconds: int = 1) -> list[object]:
    """Take in what is new, and return all records that are published in landing."""
    paging = {"by": "page", "parameter": "page", "size_parameter": "per_page", "size": 2}
    told = {"kind": "rest", "resource": "users", "paging": paging}
    source = Source.model_validate(
        {"format": "json", "delivers": "events", "system": "s", "records": "$", "intake": told}
    )
    landing = bare_landing(folder, "users")
    connection = Connection(url=service.url, answer_seconds=seconds)
    asked = Asked(
        "trial.users", source, connection, landing, read_up_to(landing, None, 0), None, folder, lambda _: None
    )
    assert isinstance(source.intake, RestIntake)
    rest.take(asked, source.intake)
    return [
        one for number in landing.after(0) for _, content in landing.contents(number) for one in json.loads(content)
    ]


def _says(*parts: bytes) -> Answer:
    def answer(connection: socket.socket, _: threading.Event) -> None:
        for part in parts:
            connection.sendall(part)

    return answer


def _hangs(*parts: bytes) -> Answer:
    def answer(connection: socket.socket, ended: threading.Event) -> None:
        _says(*parts)(connection, ended)
        ended.wait(30)

    return answer


def _drips(before: bytes, byte: bytes) -> Answer:
    def answer(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(before)
        while not ended.wait(0.1):
            connection.sendall(byte)

    return answer


def _resets(connection: socket.socket, _: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # no word of an end


OK = b"HTTP/1.1 200 OK\r\n"
# Where the service closes a connection it says so: else the next try may take the same one, and find it broken.
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: %d\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
CIRCLE = b"HTTP/1.1 302 Found\r\nLocation: /users?page=2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
FAULTS: dict[str, tuple[Answer, str]] = {
    "no answer": (_hangs(), "ReadTimeout"),
    "half a header": (_hangs(b"HTTP/1.1 200 OK\r\nContent-Le"), "ReadTimeout"),
    "half a body, then silence": (_hangs(OK + b"Content-Length: 100\r\n\r\n[1,"), "ReadTimeout"),
    "a header that drips": (_drips(OK + b"X: ", b"a"), "found no whole answer within 1 s"),
    "a body that drips": (_drips(OK + b"Content-Length: 100000\r\n\r\n[", b" "), "found no whole answer within 1 s"),
    "a body that never ends": (_drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "within 1 s"),
    "a body that is cut": (_says(OK + b"Content-Length: 100\r\n\r\n[1,"), "RemoteProtocolError"),
    "chunks that are cut": (_says(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1,"), "RemoteProtocolError"),
    "closed between pages": (_says(), "RemoteProtocolError"),
    "reset": (_resets, "Error"),
    "half JSON": (_says(OK + b'Content-Length: 8\r\n\r\n[{"id":3'), "found an answer that is no JSON"),
    "length too small": (_says(OK + b'Content-Length: 9\r\n\r\n[{"id": 3}, {"id": 4}]'), "is no JSON"),
    "no length, cut": (_says(OK + b'\r\n[{"id": 3}, {'), "found an answer that is no JSON"),
    "two lengths": (_says(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n[]"), "RemoteProtocolError"),
    "not HTTP": (_says(b"SSH-2.0-OpenSSH_9.2\r\n"), "RemoteProtocolError"),
    "not gzip": (_says(OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]"), "DecodingError"),
    "busy for long": (_says(BUSY % 7), "found status 503, 6 times at most"),
    "busy for an hour": (_says(BUSY % 3600), "asked to wait 3600 s; the next run asks again"),
    "redirects in a circle": (_says(CIRCLE), "TooManyRedirects"),
}
DONE_AGAIN = (
    "a body that is cut",
    "chunks that are cut",
    "closed between pages",
    "reset",
    "busy for long",
    "no answer",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_service_that_fails_is_told_in_time_and_read_in_full_once_it_is_well(
    service: Service, tmp_path: Path, fault: str
) -> None:
    service.spoilt, told = FAULTS[fault]
    began = time.monotonic()

    with pytest.raises(IntakeError) as raised:
        _take(service, tmp_path)

    took, asked = time.monotonic() - began, service.asked.count(2)
    service.spoilt = None
    assert told in str(raised.value), raised.value
    assert str(raised.value).startswith("trial.users: ") and "\n" not in str(raised.value)
    assert (took < 30, 1 <= asked <= 21) == (True, True), (took, asked)
    assert list(tmp_path.rglob("manifests/*.json")) == []  # no half delivery
    found = _take(service, tmp_path)
    figures.note("dependency faults", injected=1, loud=1, recovered=int(found == RECORDS), silent=0)
    assert found == RECORDS
    assert _take(service, tmp_path) == RECORDS  # and nothing twice


@pytest.mark.parametrize("fault", DONE_AGAIN)
def test_a_service_that_fails_for_a_moment_is_asked_again(
    service: Service, tmp_path: Path, fault: str, pauses: list[float]
) -> None:
    service.spoilt, _ = FAULTS[fault]
    service.times = 2

    found = _take(service, tmp_path)

    assert len(pauses) == 2
    figures.note("dependency faults", injected=2, loud=0, recovered=2 * int(found == RECORDS), silent=0)
    assert found == RECORDS


def test_without_the_watch_a_body_that_drips_is_waited_for(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what ends after three seconds is waited for, though conf allows one."""
    monkeypatch.setattr(http._Watch, "_break_off", lambda self: None)

    def slow(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(OK + b"Content-Length: 28\r\n\r\n")
        for byte in json.dumps(PAGES[1]).encode().rjust(28):
            ended.wait(0.1)
            connection.sendall(bytes([byte]))

    service.spoilt = slow
    began = time.monotonic()

    assert _take(service, tmp_path) == RECORDS
    is_red = time.monotonic() - began > 2
    figures.control("dependency faults", "an answer's time is watched", red=is_red)
    assert is_red
