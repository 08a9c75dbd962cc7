"""A process that is killed leaves its Spark alone; whoever takes the lock next ends it before anything else."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from medallion import conf as conf_door
from medallion import lock, orphans
from medallion.account import Account
from medallion.conf import Conf
from medallion.errors import LockedError
from medallion.lake import Lake
from medallion.session import Sessions
from medallion.warm.clients import is_alive
from tests import figures
from tests.conftest import LAYERS

NAME = "left.silver.numbers"
# What stands for a JVM writes once a file is there, however long its own process has been dead.
HOLDER = """
import subprocess, sys, time
from pathlib import Path
from medallion import conf, lock, orphans
loaded = conf.load("left", sys.argv[3:], Path(sys.argv[1]))
with lock.writing(loaded, "left.silver.numbers", "run-that-dies"):
    jvm = subprocess.Popen([sys.executable, "-c", sys.argv[2]])
    orphans.announce(loaded, jvm.pid)
    print(jvm.pid, flush=True)
    time.sleep(60)
"""
WRITER = """
import json, os, time, pyarrow, deltalake
from medallion.account import Account
account = Account("run-that-dies", "append", "", "", data=1, good=1)
while not os.path.exists({gate!r}):
    time.sleep(0.01)
commit = deltalake.CommitProperties(custom_metadata={{"userMetadata": account.to_json()}})
deltalake.write_deltalake({path!r}, pyarrow.table({{"id": [2]}}), mode="append", commit_properties=commit)
"""
SPARK = """
import sys, time
from pathlib import Path
from medallion import conf, lock
from medallion.session import Sessions, _java_process
loaded = conf.load("left", sys.argv[3:], Path(sys.argv[1]))
with lock.writing(loaded, "left.silver.numbers", "run-that-dies"):
    Sessions(loaded).start()
    print(_java_process(), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def conf(project: Callable[..., Conf]) -> Conf:
    return project("left", {}, "description: What is left\n")


@contextmanager
def _dying(
    conf: Conf, script: str = HOLDER, orphan: str = "import time; time.sleep(60)"
) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Start a process that holds the table's lock; yield it and the id of its JVM, which is ended in the end."""
    roots = [f"storage.{layer}.root={conf.root(layer)}" for layer in LAYERS]
    command = [sys.executable, "-c", script, str(conf.project), orphan, *roots, "spark.master=local[1]"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    jvm = int(process.stdout.readline())
    try:
        yield process, jvm
    finally:
        for pid in (process.pid, jvm):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def _kill(process: "subprocess.Popen[str]") -> None:
    """End a process as `kill -9` does: what it started lives on."""
    process.kill()
    process.wait()


def test_the_jvm_of_a_killed_process_has_ended_when_its_successor_begins(conf: Conf) -> None:
    with _dying(conf) as (process, jvm):
        with pytest.raises(LockedError), lock.writing(conf, NAME, "mine"):
            pass
        assert is_alive(jvm)  # its process lives: nobody ends it
        _kill(process)
        assert is_alive(jvm)

        with lock.writing(conf, NAME, "mine"):
            assert not is_alive(jvm)

    assert list(Path(conf.root("ops"), orphans.FOLDER).rglob("*.jsonl")) == []


def test_the_jvm_of_a_process_that_lives_is_left_alone_where_its_lake_was_copied(conf: Conf, tmp_path: Path) -> None:
    with _dying(conf) as (_, jvm):
        shutil.copytree(conf.root("ops"), tmp_path / "copy")
        copied = conf_door.load("left", [f"storage.ops.root={tmp_path / 'copy'}"], conf.project)

        with lock.writing(copied, NAME, "mine"):
            assert is_alive(jvm)


def test_a_stopped_jvm_is_ended_too(conf: Conf) -> None:
    with _dying(conf) as (process, jvm):
        os.kill(jvm, signal.SIGSTOP)
        _kill(process)

        with lock.writing(conf, NAME, "mine"):
            assert not is_alive(jvm)


def test_another_process_that_got_the_number_of_a_jvm_since_is_left_alone(conf: Conf) -> None:
    with _dying(conf) as (process, jvm):
        _kill(process)
        for path in Path(conf.root("ops"), orphans.FOLDER).rglob("*.jsonl"):
            path.write_text(path.read_text().replace(orphans._started(jvm), "1"))

        with lock.writing(conf, NAME, "mine"):
            assert is_alive(jvm)


def test_a_jvm_that_cannot_be_ended_is_told_and_nothing_is_written(conf: Conf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "_SECONDS", 0.1)
    with _dying(conf) as (process, jvm):
        _kill(process)
        with (
            mock.patch.object(os, "kill", side_effect=PermissionError),
            mock.patch.object(orphans.clients, "is_alive", return_value=True),
        ):
            with pytest.raises(LockedError) as refused, lock.writing(conf, NAME, "mine"):
                pass

    assert str(refused.value).endswith(f"it may still write; wanted it gone: end process {jvm}")


@pytest.mark.parametrize("is_ended", [True, False], ids=["ended", "control"])
def test_what_a_killed_process_had_under_way_does_not_land_behind_its_successors_back(
    conf: Conf, tmp_path: Path, is_ended: bool
) -> None:
    lake, gate = Lake(conf), tmp_path / "gate"
    _append(lake, "first")
    with _dying(conf, orphan=WRITER.format(gate=str(gate), path=lake.path(NAME))) as (process, _):
        _kill(process)
        with mock.patch.object(orphans, "end", orphans.end if is_ended else lambda _: None):
            with lock.writing(conf, NAME, "successor"):
                gate.touch()
                _wait_for(lambda: is_ended or _runs(lake) == ["run-that-dies", "first"])
                _append(lake, "successor")

    behind = "run-that-dies" in _runs(lake)
    assert behind != is_ended
    if is_ended:
        figures.note("holders that were killed", tried=1, wrote_later=int(behind))
    else:
        figures.control("holders that were killed", "their Spark is ended first", red=behind)


@pytest.mark.slow
def test_a_process_says_which_spark_is_its_own(conf: Conf) -> None:
    with _dying(conf, SPARK) as (process, jvm):
        assert b"java" in Path(f"/proc/{jvm}/cmdline").read_bytes()
        os.kill(jvm, signal.SIGSTOP)  # or it would notice that its process is gone
        _kill(process)

        with lock.writing(conf, NAME, "mine"):
            assert not is_alive(jvm)


def test_a_spark_lives_on_although_who_started_it_has_let_go_of_it(
    conf: Conf, sessions: Sessions, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--connect"):
        pytest.skip("a client has no Spark of its own")
    started = Sessions(conf)
    started.start()  # that of this test run
    del started
    gc.collect()

    with lock.writing(conf, NAME, "mine"):
        assert sessions.start().range(1).count() == 1


def _append(lake: Lake, run_id: str) -> None:
    account = Account(run_id, "append", "", "", data=0, good=0)
    commit = CommitProperties(custom_metadata={"userMetadata": account.to_json()})
    write_deltalake(lake.path(NAME), pa.table({"id": [1]}), mode="append", commit_properties=commit)


def _runs(lake: Lake) -> list[str]:
    return [commit.account.run_id for commit in lake.history(NAME) if commit.account]


def _wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
