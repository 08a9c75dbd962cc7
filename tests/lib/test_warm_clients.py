"""Who uses a server, and who died using it: told by locks that go with their processes."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from medallion.errors import LockedError
from medallion.warm.clients import Client, died, in_use, is_alive

HOLDER = """
import fcntl, os, resource, sys, time
from pathlib import Path
from medallion.warm.clients import Client
client = Client(Path(sys.argv[1]), "other", {"pipeline": "lab", "since": "2026-01-31"})
client.add("session-1")
client.add("session-2")
# Many files between the two locks, so that a killed process takes a while from freeing one to the other.
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 100_000), hard))
many = [os.open("/dev/null", os.O_RDONLY) for _ in range(min(hard, 100_000) - 50)]
table = open(Path(sys.argv[1], "table.lock"), "w")
fcntl.flock(table, fcntl.LOCK_EX)
print("holding", flush=True)
time.sleep(60)
"""


@contextmanager
def another_client(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_client_is_in_use_until_it_closes(tmp_path: Path) -> None:
    client = Client(tmp_path, "mine", {"pipeline": "lab"})
    client.add("session-1")

    during = in_use(tmp_path)
    client.close()

    assert [(one.pid, one.facts["pipeline"], one.sessions) for one in during] == [(os.getpid(), "lab", ("session-1",))]
    assert in_use(tmp_path) == []
    with died(tmp_path) as dead:
        assert dead == []


@pytest.mark.slow
def test_a_client_that_lives_is_not_dead(tmp_path: Path) -> None:
    client = Client(tmp_path, "mine", {})

    with another_client(tmp_path), died(tmp_path) as dead:
        assert dead == []

    client.close()


@pytest.mark.slow
def test_a_killed_client_is_dead_at_once_with_its_sessions_and_then_forgotten(tmp_path: Path) -> None:
    with another_client(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        with (tmp_path / "table.lock").open() as table:
            fcntl.flock(table, fcntl.LOCK_EX)  # free, but the client's own file may be closed only later

        with died(tmp_path) as dead:
            found = [(one.pid, one.sessions) for one in dead]

        assert found == [(process.pid, ("session-1", "session-2"))]
    assert in_use(tmp_path) == []
    with died(tmp_path) as again:
        assert again == []


@pytest.mark.slow
def test_what_a_dead_client_left_is_kept_while_it_cannot_be_ended(tmp_path: Path) -> None:
    with another_client(tmp_path) as process:
        process.kill()
        process.wait()

    with pytest.raises(LockedError), died(tmp_path):
        raise LockedError("cannot be ended")

    with died(tmp_path) as dead:
        assert [one.sessions for one in dead] == [("session-1", "session-2")]


@pytest.mark.slow
def test_a_second_process_waits_while_a_first_ends_what_a_dead_client_left(tmp_path: Path) -> None:
    with another_client(tmp_path) as process:
        process.kill()
        process.wait()
    ended: list[str] = []

    def second() -> None:
        with died(tmp_path) as dead:
            ended.append(f"second found {len(dead)}")

    with died(tmp_path):
        waiting = Thread(target=second)
        waiting.start()
        time.sleep(0.5)
        ended.append("first")
    waiting.join(timeout=10)

    assert ended == ["first", "second found 0"]


def test_a_session_whose_line_was_not_written_whole_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "clients"
    folder.mkdir()
    (folder / "cut.jsonl").write_text('{"pid": 0}\n"session-1"\n"sess')

    with died(tmp_path) as dead:
        assert [one.sessions for one in dead] == [("session-1",)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell who is on the way out")
def test_a_process_that_ended_but_was_not_waited_for_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        until = time.monotonic() + 20
        while is_alive(process.pid) and time.monotonic() < until:
            time.sleep(0.05)

        assert not is_alive(process.pid)
    assert is_alive(os.getpid())
