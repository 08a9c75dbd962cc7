"""scripts/prefect_local.py where the server is not there: one message, and what to do."""

import signal
import socket
from pathlib import Path

import pytest

from tests.flows.local_server import PROJECT, Server, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def absent(tmp_path: Path) -> Server:
    """A server that nobody started."""
    return Server(PROJECT, tmp_path)


@pytest.mark.parametrize("command", [("deploy",), ("run", "shop"), ("flow-run", "ls")])
def test_without_a_server_one_message_says_what_to_do(absent: Server, command: tuple[str, ...]) -> None:
    refused = absent.call(*command)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"no Prefect server at {absent.url}/api; start one in another terminal: make server\n"


def test_port_of_another_program_is_refused(absent: Server) -> None:
    with socket.create_server(("127.0.0.1", absent.port)):
        refused = absent.call("server")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"port {absent.port}: another program has it; wanted a free one")
    assert len(refused.stderr.splitlines()) == 1


def test_server_is_started_on_this_machine_only(absent: Server) -> None:
    absent.variables = {"PREFECT_API_URL": "http://192.0.2.1:4200/api"}

    refused = absent.call("server")

    assert refused.returncode == 1
    assert refused.stderr.startswith("PREFECT_API_URL: found 192.0.2.1; wanted 127.0.0.1")


def test_worker_waits_for_the_server_and_can_be_stopped(absent: Server) -> None:
    worker = absent.start("worker", log="worker.log")
    try:
        said = eventually(lambda: (absent.home / "worker.log").read_text(), 60, "worker says that it waits")
        assert said == f"waiting for a Prefect server at {absent.url}/api (make server)\n"
        assert worker.poll() is None
        worker.send_signal(signal.SIGINT)
        assert worker.wait(30) == 130
        assert (absent.home / "worker.log").read_text() == said
    finally:
        worker.kill()
        worker.wait()


def test_conf_that_cannot_be_used_is_told_before_a_server_is_asked(absent: Server) -> None:
    absent.variables = {"MEDALLION_ENVIRONMENT": "nosuch"}

    refused = absent.call("deploy")

    assert refused.returncode == 2
    assert refused.stderr.startswith("environment 'nosuch': no such file in conf/platform")
    assert len(refused.stderr.splitlines()) == 1


def test_without_a_command_the_usage_is_told(absent: Server) -> None:
    told = absent.call()

    assert told.returncode == 2
    assert "prefect_local.py server" in told.stderr
