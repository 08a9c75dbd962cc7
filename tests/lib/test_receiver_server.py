"""The receiver behind a real socket: what only a server can get wrong, and how it ends."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from benchmarks import receiver_load
from medallion import listening
from medallion.conf import Conf
from medallion.landing import Landing
from medallion.receiver.inbox import gather

pytestmark = pytest.mark.slow

TILL = """
description: A till
sources:
  sales: {format: json, delivers: events, system: till, max_bytes: 200000, intake: {kind: webhook}}
"""
PATH = "/v1/till/sales"
PROJECT = Path(__file__).resolve().parents[2]
MEDALLION = str(Path(sys.executable).with_name("medallion"))
_SECONDS = 60.0


@dataclass
class Server:
    """A receiver in a process of its own."""

    conf: Conf
    process: "subprocess.Popen[str]"
    port: int
    lines: list[str] = field(default_factory=list)

    def post(self, id: str, body: bytes = b"{}", timeout: float = _SECONDS) -> int:
        """Send an unsigned post on a connection of its own, and return the status."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("POST", PATH, body, {"content-type": "application/json", "webhook-id": id})
            return connection.getresponse().status

    def raw(self, request: bytes, *, then_close: bool = False) -> bytes:
        """Send bytes, and return what comes back until the receiver closes or has answered."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=_SECONDS) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
            if then_close:
                return b""
            return _answer(connection)

    def landed(self) -> list[tuple[str, str]]:
        """Return ids and bodies of all that landing has, after gathering."""
        landing = Landing(self.conf, "sales")
        gather(landing)
        contents = [content for one in landing.after(0) for _, content in landing.contents(one)]
        envelopes = [json.loads(line) for content in contents for line in content.splitlines()]
        return [(envelope["id"], envelope["body"]) for envelope in envelopes]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(_SECONDS)


def _answer(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in found and (more := connection.recv(65536)):
            found += more
    return found


@contextlib.contextmanager
def started(conf: Conf, *overrides: str, command: Sequence[str] = ()) -> Iterator[Server]:
    """Start a receiver, by `medallion serve` or another command, and kill it at the end if it is still there."""
    roots = [f"storage.{layer}.root={conf.root(layer)}" for layer in ("landing", "ops")]
    process = subprocess.Popen(
        command or [MEDALLION, "serve", "receiver.port=0", *roots, *overrides],
        cwd=conf.project,
        env={**os.environ, "MEDALLION_HOME": str(conf.project)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    server = Server(conf, process, 0)
    reading: threading.Thread | None = None
    try:
        assert process.stderr is not None
        for line in process.stderr:
            server.lines.append(line.rstrip("\n"))
            if found := re.search(r"(?:listening|running) on http://[\d.]+:(\d+)", line):
                server.port = int(found[1])
                break
        assert server.port, server.lines
        reading = threading.Thread(target=lambda: server.lines.extend(map(str.rstrip, process.stderr or [])))
        reading.start()
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if reading is not None:
            reading.join()
        if process.stderr is not None:
            process.stderr.close()


@pytest.fixture
def conf(project: Callable[..., Conf]) -> Conf:
    made = project("till", {}, TILL)
    (made.project / "jobs").mkdir()
    return made


def head(*lines: str) -> bytes:
    given = [f"POST {PATH} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", *lines]
    return "".join(f"{line}\r\n" for line in given).encode("latin-1") + b"\r\n"


RAW: dict[str, tuple[int, bytes]] = {
    # A line feed alone ends a header, so that what follows counts as one, and here refuses the post.
    "header-injection": (401, head("webhook-id: a\nx-forwarded-for: 1", "content-length: 2") + b"{}"),
    "header-with-nul": (400, head("webhook-id: a\0b", "content-length: 2") + b"{}"),
    "folded-header": (400, head("webhook-id: a", " b c", "content-length: 2") + b"{}"),
    "huge-header": (400, head("webhook-id: a", f"x-large: {'x' * 200_000}", "content-length: 2") + b"{}"),
    "many-headers": (400, head("webhook-id: a", *["x: y"] * 50_000, "content-length: 2") + b"{}"),
    "two-lengths": (400, head("webhook-id: a", "content-length: 2", "content-length: 3") + b"{}{"),
    "length-no-number": (400, head("webhook-id: a", "content-length: two") + b"{}"),
    "length-and-chunks": (400, head("webhook-id: a", "content-length: 2", "transfer-encoding: chunked") + b"0\r\n\r\n"),
    "length-too-large": (413, head("webhook-id: a", "content-length: 200001")),
    "length-astronomical": (413, head("webhook-id: a", f"content-length: {'9' * 19}")),
    "chunks-too-large": (
        413,
        head("webhook-id: a", "transfer-encoding: chunked") + b"10000\r\n" + (b"x" * 65536 + b"\r\n10000\r\n") * 40,
    ),
    "chunk-no-number": (400, head("webhook-id: a", "transfer-encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n"),
    "no-http": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "path-of-a-file": (
        404,
        head("webhook-id: a", "content-length: 2").replace(PATH.encode(), b"/../../etc/passwd") + b"{}",
    ),
}


def test_bad_requests_on_the_wire_are_refused_and_stored_nowhere(conf: Conf) -> None:
    with started(conf) as server:
        found = {name: server.raw(request).split(b" ")[1:2] for name, (_, request) in RAW.items()}

        assert found == {name: [str(status).encode()] for name, (status, _) in RAW.items()}
        assert server.landed() == []
        assert server.post("good") == 202
        assert server.end() == 0
    assert not any("Traceback" in line for line in server.lines)


def test_a_body_that_breaks_off_is_not_stored(conf: Conf) -> None:
    with started(conf) as server:
        for request in (
            head("webhook-id: cut", "content-length: 1000") + b"{",
            head("webhook-id: cut", "transfer-encoding: chunked") + b"2\r\n{}\r\n",
        ):
            server.raw(request, then_close=True)
        shorter = server.raw(head("webhook-id: shorter", "content-length: 2") + b'{}, "what follows is no request"')
        time.sleep(0.3)

        assert shorter.startswith(b"HTTP/1.1 202 ")
        assert server.landed() == [("shorter", "{}")]
        assert server.end() == 0
    assert not any("Traceback" in line for line in server.lines)


def test_it_tells_where_it_listens_and_what_it_did_and_nothing_of_the_posts(conf: Conf) -> None:
    with started(conf) as server:
        assert server.post("id-of-jo", b'{"name": "jo"}') == 202
        assert server.post("id-of-jo", b'{"name": "jo"}') == 200
        assert server.post("id-of-jo", b'{"name": "joe"}') == 409
        assert server.end() == 0

    assert server.lines == [
        f"listening on http://127.0.0.1:{server.port}",
        "  POST /v1/till/sales  UNSIGNED, at most 200,000 bytes",
        "WARNING: without keys, whoever is on this machine can post to till.sales",
        "ended; stored 1, known 1, refused 1 (409: 1), not stored 0",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_answers_who_is_there_and_takes_no_more(conf: Conf, number: int) -> None:
    statuses: dict[str, int] = {}
    refused = threading.Event()

    def post(name: str, server: Server) -> None:
        for place in range(10_000):
            try:
                statuses[f"{name}-{place}"] = server.post(f"{name}-{place}")
            except OSError:
                refused.set()
                return

    with started(conf) as server:
        threads = [threading.Thread(target=post, args=(f"s{place}", server)) for place in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        assert server.end(number) == 0
        for thread in threads:
            thread.join()

        assert refused.is_set()
        assert len(statuses) > 8 and set(statuses.values()) == {202}
        assert set(statuses) <= {id for id, _ in server.landed()}
        with pytest.raises(ConnectionRefusedError):
            server.post("late")


def test_answers_do_not_wait_to_be_confirmed() -> None:
    with listening.listen("receiver", "127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_only_serving_imports_what_serves() -> None:
    heavy = "{'starlette', 'uvicorn', 'sqlite3', 'jiter'}"
    code = f"import sys, medallion.cli as c; c.main(['--help']); print({heavy} & set(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=_SECONDS, check=True)

    assert done.stderr == "set()\n"
    assert re.search(r"serve +Take in what webhooks post", done.stdout)


def test_its_start_can_be_read_by_a_program(conf: Conf) -> None:
    command = [
        MEDALLION,
        "serve",
        "--pipeline",
        "till",
        "--json",
        "receiver.port=0",
    ]
    with subprocess.Popen(command, cwd=conf.project, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        told = json.loads(b"".join(iter(process.stdout.readline, b"}\n")) + b"}")
        process.terminate()

    assert told["sources"] == [{"source": "till.sales", "path": PATH, "signed": False}]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", told["listening"])


def test_a_port_that_is_taken_is_told(conf: Conf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [MEDALLION, "serve", f"receiver.port={port}"]
        done = subprocess.run(command, cwd=conf.project, capture_output=True, text=True, timeout=_SECONDS, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        f"receiver: cannot listen on 127.0.0.1, port {port}: Address already in use; wanted an address of this machine "
        "and a free port: receiver.host, receiver.port (0: any free one)\n"
    )


def test_uvicorn_alone_serves_it_too(conf: Conf) -> None:
    command = [sys.executable, "-m", "uvicorn", "--factory", "medallion.receiver.app:app", "--port", "0"]

    with started(conf, command=command) as server:
        assert "  POST /v1/till/sales  UNSIGNED, at most 200,000 bytes" in server.lines
        assert server.post("a") == 202
        server.end()


@pytest.mark.parametrize("language", ["sh", "python"])
def test_what_the_documentation_sends_is_taken(conf: Conf, language: str, tmp_path: Path) -> None:
    if language == "sh" and not all(map(shutil.which, ("curl", "openssl"))):
        pytest.skip("curl or openssl is not here")
    key = b64encode(os.urandom(32)).decode()
    (tmp_path / "key").write_text(key)
    text = (PROJECT / "docs" / "receiver.md").read_text()
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    (code,) = [block for block in blocks if "/v1/shop/orders" in block]

    with started(conf, f"connections.till.sales.keys=[file:{tmp_path / 'key'}]") as server:
        code = code.replace("127.0.0.1:8787/v1/shop/orders", f"127.0.0.1:{server.port}{PATH}")
        code = re.sub(r"KEY=\$\(openssl.*", f"KEY='{key}'", code)
        command = ["sh", "-c", code] if language == "sh" else [sys.executable, "-c", code]
        environment = {**os.environ, "SHOP_ORDERS_KEY": key}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)

        assert "stored" in done.stdout and "problems" not in done.stdout, done.stderr
        assert server.landed() == [("order-1001-1", '{"order_id": "1001", "total": "19.90"}')]


def test_killed_under_load_it_has_all_that_it_acknowledged(tmp_path: Path) -> None:
    result = receiver_load.measure(tmp_path / "load", receiver_load.Load(seconds=3, connections=8, bytes=300))

    told: Any = receiver_load.report(result)
    assert result.passed, told
    assert result.acknowledged > 50 and result.again > 0, told
