"""What tests of flows share: a receiver of notices, and a real server with a deployment of a tiny pipeline."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.conftest import write_project
from tests.flows.local_server import Server, copy_deployment, running
from tests.flows.sensors import CONF, modules

Receiver = tuple[str, list[dict[str, Any]]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Receive notices on loopback: the address to post to, and what came."""
    yield from _receive()


@pytest.fixture(scope="session")
def notices() -> Iterator[Receiver]:
    """The same for the runs of the worker."""
    yield from _receive()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, notices: Receiver) -> Iterator[Server]:
    """A server and a worker, with the tiny pipeline ``sensors`` deployed; Spark works as long as ``hold`` is there."""
    folder = tmp_path_factory.mktemp("prefect")
    project = folder / "project"
    write_project(folder, "sensors", modules("sensors", held_by=project / "hold"), CONF)
    copy_deployment(project, "sensors")
    server = Server(project, folder / "home", variables={"TELL_ME": notices[0]})
    with running(server):
        yield server


def _receive() -> Iterator[Receiver]:
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/", received
    server.shutdown()
    serving.join()
    server.server_close()
