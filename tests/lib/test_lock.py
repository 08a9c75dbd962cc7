"""One run a pipeline and one writer a table: refused or waited for, and free again however the holder ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from medallion import conf as conf_door
from medallion import lock, run
from medallion.conf import Conf
from medallion.errors import LockedError

PROJECT = Path(__file__).resolve().parents[2]
TABLE = "shop.silver.orders"
HOLDER = """
import sys, time
from pathlib import Path
from medallion import conf, lock
loaded = conf.load("shop", sys.argv[2:], Path(sys.argv[1]))
with lock.writing(loaded, "shop.silver.orders", "run-of-the-other"):
    print("holding", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def conf(tmp_path: Path) -> Callable[..., Conf]:
    """Return a function from overrides to conf on a temporary folder."""

    def load(*overrides: str) -> Conf:
        return conf_door.load("shop", [f"storage.ops.root={tmp_path}", *overrides], PROJECT)

    return load


@contextmanager
def _another_process(conf: Conf) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLDER, str(PROJECT), f"storage.ops.root={conf.root('ops')}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        try:
            yield process
        finally:
            process.kill()


def test_another_process_is_refused_and_told_who_holds_it_until_that_one_is_killed(conf: Callable[..., Conf]) -> None:
    with _another_process(conf()) as process:
        with pytest.raises(LockedError) as refused, lock.writing(conf(), TABLE, "mine"):
            pass
        with lock.writing(conf(), "shop.silver.customers", "mine"):  # another table is free
            pass
        process.kill()  # as kill -9
        process.wait()
        with lock.writing(conf(), TABLE, "mine"):
            pass

    message = str(refused.value)
    assert message.startswith(
        f"{TABLE}: another process writes it (run run-of-the-other, process {process.pid}, since 2"
    )
    assert message.endswith("); wait for it to end, or set runtime.on_locked=wait")


def test_a_holder_that_stalls_keeps_its_right_and_goes_on_with_it(conf: Callable[..., Conf]) -> None:
    with _another_process(conf()) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(LockedError, match=f"process {process.pid}"), lock.writing(conf(), TABLE, "mine"):
            pass
        os.kill(process.pid, signal.SIGCONT)
        with pytest.raises(LockedError), lock.writing(conf(), TABLE, "mine"):
            pass


def test_a_pipeline_that_another_process_runs_is_refused_and_told_who_runs_it(conf: Callable[..., Conf]) -> None:
    with lock.running(conf(), "first"):
        with pytest.raises(LockedError) as refused, lock.running(conf(), "second"):
            pass
        with lock.writing(conf(), TABLE, "first"):  # its own tables are free to it
            pass

    assert str(refused.value).startswith("shop: is being run by another process (run first, process ")


def test_whom_a_run_waits_for_is_said_once(conf: Callable[..., Conf], caplog: pytest.LogCaptureFixture) -> None:
    def second() -> None:
        with lock.running(conf("runtime.on_locked=wait"), "second"):
            pass

    with lock.running(conf(), "first"):
        waiting = Thread(target=second)
        waiting.start()
        time.sleep(0.7)
    waiting.join(timeout=10)

    assert [record.getMessage().split(", process")[0] for record in caplog.records] == [
        "shop: is being run by another process (run first"
    ]


def test_a_second_writer_in_one_process_is_refused_too(conf: Callable[..., Conf]) -> None:
    with lock.writing(conf(), TABLE, "first"), pytest.raises(LockedError, match="run first, process"):
        with lock.writing(conf(), TABLE, "second"):
            pass


def test_the_lock_is_free_after_an_error_and_a_refusal_leaves_the_holders_name(conf: Callable[..., Conf]) -> None:
    with pytest.raises(ZeroDivisionError), lock.writing(conf(), TABLE, "first"):
        raise ZeroDivisionError

    with lock.writing(conf(), TABLE, "second"):
        for _ in range(2):
            with pytest.raises(LockedError, match="run second, process"), lock.writing(conf(), TABLE, "third"):
                pass


def test_wait_waits_until_the_holder_has_ended(conf: Callable[..., Conf]) -> None:
    events: list[str] = []

    def second() -> None:
        with lock.writing(conf("runtime.on_locked=wait"), TABLE, "second"):
            events.append("second")

    with lock.writing(conf(), TABLE, "first"):
        waiting = Thread(target=second)
        waiting.start()
        time.sleep(0.5)
        events.append("first")
    waiting.join(timeout=10)

    assert events == ["first", "second"]


@pytest.mark.parametrize("holder", ["", "{", "[]", "{}", '{"run": 1}'])
def test_a_holder_that_cannot_be_told_is_no_reason_to_fail_otherwise(conf: Callable[..., Conf], holder: str) -> None:
    with lock.writing(conf(), TABLE, "first"):
        Path(conf().root("ops"), "locks", f"{TABLE}.lock").write_text(holder)
        with pytest.raises(LockedError, match="another process writes it"), lock.writing(conf(), TABLE, "second"):
            pass


@pytest.mark.parametrize("layer", ["landing", "bronze", "silver", "gold", "ops"])
@pytest.mark.parametrize("root", ["s3://bucket/x", "s3a://bucket/x", "hdfs://namenode/x", "abfss://x@y.net/z"])
def test_storage_that_the_lock_does_not_cover_is_refused(conf: Callable[..., Conf], layer: str, root: str) -> None:
    with pytest.raises(LockedError) as refused:
        run.prepare(conf(f"storage.{layer}.root={root}"))

    assert f"conf/platform/dev.yaml: storage.{layer}.root: found {root}; wanted a local folder" in str(refused.value)


def test_a_local_folder_as_uri_is_not_refused(conf: Callable[..., Conf], tmp_path: Path) -> None:
    lock.refuse_shared_storage(conf(f"storage.silver.root=file://{tmp_path}/silver"))
