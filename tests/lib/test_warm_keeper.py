"""The keeper of a warm server, with a server that is a few lines of Python: how it starts, lives and ends."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medallion.warm.clients import Client
from medallion.warm.files import ABOUT, LOCK, LOG, SETTINGS, TOKEN, answers, is_held, write
from medallion.warm.keeper import Keeper, Task

pytestmark = pytest.mark.slow

SECRET = "a-token-that-nobody-else-knows"
SERVER = """
import socket, sys, time
settings = dict(line.split("=", 1) for line in open(sys.argv[1]).read().splitlines())
time.sleep(float(settings["delay"]))
listening = socket.create_server(("127.0.0.1", int(settings["port"])))
while True:
    listening.accept()[0].close()
"""
WAIT_SECONDS = 20


class Kept:
    """A keeper in a process of its own, and what it says."""

    def __init__(self, task: Task) -> None:
        self.folder = task.folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "medallion.warm.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self.process.stdin is not None
        self.process.stdin.write(task.to_json())
        self.process.stdin.close()

    def said(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        return told["state"], told["what"]

    def about(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / ABOUT).read_text()))

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(WAIT_SECONDS)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    folder = tmp_path / "warm"
    return Task(
        folder=folder,
        command=[sys.executable, "-c", SERVER, str(folder / SETTINGS)],
        environment={**os.environ, "SECRET": SECRET},
        settings={"port": "{port}", "delay": "0"},
        token=SECRET,
        about={"id": "1"},
        port=None,
        idle_seconds=None,
    )


@pytest.fixture
def keep() -> Iterator[Callable[[Task], Kept]]:
    """Return a function that starts keepers; each is ended afterwards."""
    started: list[Kept] = []

    def start(task: Task) -> Kept:
        started.append(Kept(task))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end()
        assert one.process.stdout is not None
        one.process.stdout.close()


def until(what: Callable[[], bool]) -> bool:
    """Wait until something is so, and tell whether it came to be."""
    end = time.monotonic() + WAIT_SECONDS
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_server_is_announced_once_it_answers_and_leaves_nothing_when_it_is_told_to_end(
    task: Task, keep: Callable[[Task], Kept]
) -> None:
    kept = keep(task)
    state, address = kept.said()
    about = kept.about()

    assert (state, address) == ("up", f"127.0.0.1:{about['port']}")
    assert answers("127.0.0.1", about["port"], 1)
    assert is_held(task.folder / LOCK)
    assert kept.end() == 0
    assert not is_running(about["pid"])
    assert sorted(path.name for path in task.folder.iterdir()) == [LOCK, LOG]
    assert not is_held(task.folder / LOCK)


def test_the_token_is_for_its_owner_only_and_in_no_command_line(task: Task, keep: Callable[[Task], Kept]) -> None:
    kept = keep(task)
    kept.said()

    assert stat.S_IMODE((task.folder / TOKEN).stat().st_mode) == 0o600
    assert stat.S_IMODE((task.folder / LOG).stat().st_mode) == 0o600
    assert not (task.folder / SETTINGS).exists()  # they may hold secrets too, and were read
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in (kept.process.pid, kept.about()["pid"])]
    others = [path.read_text() for path in task.folder.iterdir() if path.is_file() and path.name != TOKEN]
    assert [text for text in (*lines, *others) if SECRET in text] == []


def test_a_server_that_dies_is_told_of_until_somebody_has_read_it(task: Task, keep: Callable[[Task], Kept]) -> None:
    kept = keep(task)
    kept.said()

    os.kill(kept.about()["pid"], signal.SIGKILL)

    assert kept.process.wait(WAIT_SECONDS) == 1
    assert kept.about()["ended"] == "killed by signal 9, perhaps for want of memory"
    assert not (task.folder / TOKEN).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a process with its parent")
def test_a_server_dies_with_its_keeper_however_that_ends(task: Task, keep: Callable[[Task], Kept]) -> None:
    kept = keep(task)
    kept.said()
    pid = kept.about()["pid"]

    kept.end(signal.SIGKILL)

    assert until(lambda: not is_running(pid))
    assert not is_held(task.folder / LOCK)


def test_a_server_ends_when_it_was_idle_for_long_but_never_while_a_client_lives(
    task: Task, keep: Callable[[Task], Kept]
) -> None:
    kept = keep(replace(task, idle_seconds=0.5))
    kept.said()
    client = Client(task.folder, "mine", {})

    time.sleep(3)
    alive_while_used = kept.process.poll() is None
    client.close()

    assert alive_while_used
    assert kept.process.wait(WAIT_SECONDS) == 0
    assert not (task.folder / ABOUT).exists()


def test_a_client_that_comes_when_the_server_is_about_to_end_keeps_it_up(task: Task) -> None:
    keeper = Keeper(task)
    task.folder.mkdir()
    about = {"id": "1"}
    write(task.folder / ABOUT, json.dumps(about))
    client = Client(task.folder, "mine", {})

    closed_while_used = keeper._closed(about)
    announced_again = (task.folder / ABOUT).exists()
    client.close()

    assert (closed_while_used, announced_again) == (False, True)
    assert keeper._closed(about)


def test_a_second_keeper_of_a_folder_gives_way(task: Task, keep: Callable[[Task], Kept]) -> None:
    first = keep(task)
    first.said()
    second = keep(task)

    assert second.said()[0] == "busy"
    assert second.process.wait(WAIT_SECONDS) == 0
    assert first.about()["keeper"] == first.process.pid


def test_a_server_that_does_not_start_is_told_of_in_its_own_words(task: Task, keep: Callable[[Task], Kept]) -> None:
    said = "print('starting'); raise ValueError('no such memory: 2x')"
    kept = keep(replace(task, command=[sys.executable, "-c", said]))

    state, what = kept.said()

    assert state == "failed"
    assert what == f"Spark's server ended at once: ValueError: no such memory: 2x (more in {task.folder / LOG})"
    assert kept.process.wait(WAIT_SECONDS) == 1
    assert sorted(path.name for path in task.folder.iterdir()) == [LOCK, LOG]


def test_a_port_that_is_taken_is_named(task: Task, keep: Callable[[Task], Kept]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = keep(replace(task, port=port)).said()

    assert said == (
        "failed",
        f"spark.port: {port}: Address already in use; wanted a free port, or null: any free one",
    )


def test_a_keeper_that_is_told_to_end_while_the_server_starts_leaves_no_process(
    task: Task, keep: Callable[[Task], Kept]
) -> None:
    kept = keep(replace(task, settings={"port": "{port}", "delay": "60"}))
    children = Path(f"/proc/{kept.process.pid}/task/{kept.process.pid}/children")
    assert until(lambda: bool(children.read_text().split()))
    server = int(children.read_text().split()[0])

    assert kept.end() == 1

    assert not is_running(server)
    assert sorted(path.name for path in task.folder.iterdir()) == [LOCK, LOG]


def test_a_disk_that_is_full_leaves_neither_a_server_nor_half_an_announcement(
    task: Task, keep: Callable[[Task], Kept]
) -> None:
    (task.folder / ABOUT).mkdir(parents=True)  # stands for it: the announcement cannot be written

    kept = keep(task)
    said = kept.said()

    assert said == ("failed", f"{task.folder}/.{ABOUT}.{kept.process.pid}: Is a directory")
    assert kept.process.wait(WAIT_SECONDS) == 1
    assert not list(task.folder.glob(".*"))
    assert not (task.folder / TOKEN).exists()


def test_a_file_that_cannot_be_written_whole_is_not_there_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "about", "much")
    assert list(tmp_path.iterdir()) == []


def test_a_server_whose_folder_is_removed_ends(task: Task, keep: Callable[[Task], Kept]) -> None:
    kept = keep(task)
    kept.said()
    pid = kept.about()["pid"]

    (task.folder / ABOUT).unlink()

    assert kept.process.wait(WAIT_SECONDS) == 0
    assert not is_running(pid)
