"""Which Spark master counts, and what is told where it cannot be used; no Spark."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from medallion import master
from medallion.errors import ConfError, SetupError


class FakeSession:
    """Stands in for a session: its one task does what it is told to."""

    def __init__(self, task: Callable[[], Any], **settings: str) -> None:
        self.task = task
        self.settings = settings
        self.conf = self
        self.stopped = threading.Event()

    def range(self, *_: int) -> "FakeSession":
        return self

    def collect(self) -> Any:
        return self.task()

    def get(self, key: str, default: str | None) -> str | None:
        return self.settings.get(key, default)

    def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def listening() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def silent() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("conf", "submitted", "chosen"),
    [
        (None, None, None),
        ("local[2]", None, "local[2]"),
        ("spark://a:7077", None, "spark://a:7077"),
        (None, "yarn", "yarn"),
        ("local[2]", "local[*]", "local[*]"),
        ("local", "spark://a:7077,b:7077", "spark://a:7077,b:7077"),
        ("local[2]", "k8s://https://a:6443", "k8s://https://a:6443"),
        ("yarn", "yarn", "yarn"),
    ],
)
def test_spark_submit_wins_over_a_local_master_of_conf(
    conf: str | None, submitted: str | None, chosen: str | None
) -> None:
    assert master.chosen(conf, submitted) == chosen


@pytest.mark.parametrize(("conf", "submitted"), [("spark://a:7077", "local[*]"), ("yarn", "spark://a:7077")])
def test_two_masters_that_differ_are_refused(conf: str, submitted: str) -> None:
    with pytest.raises(ConfError, match="wanted one: spark-submit --master") as refused:
        master.chosen(conf, submitted)

    assert f"found {conf} in conf, {submitted} in spark-submit" in str(refused.value)


@pytest.mark.parametrize("text", ["sparky://a:7077", "spark://a", "spark:/a:7077", "local[x]", "", "mesos://a:1"])
def test_what_is_no_master_is_refused(text: str) -> None:
    for given in ((text, None), (None, text)):
        with pytest.raises(ConfError, match="wanted a master such as local"):
            master.chosen(*given)


def test_a_master_that_listens_will_do_as_will_one_of_several(listening: str, silent: str) -> None:
    for there in (f"spark://{listening}", f"spark://{silent},{listening}", "local[2]", "yarn", None):
        master.require_answer(there)


@pytest.mark.parametrize("address", ["SILENT", "127.0.0.1:99999", "no-such-host.invalid:7077"])
def test_a_master_where_nobody_listens_is_refused(address: str, silent: str) -> None:
    address = address.replace("SILENT", silent)

    with pytest.raises(SetupError, match=f"no master answers at spark://{address}"):
        master.require_answer(f"spark://{address}")


def test_an_executor_that_does_its_task_is_all_that_is_asked() -> None:
    session: Any = FakeSession(lambda: [0])

    master.require_executor(session, "spark://a:7077", 5)

    assert not session.stopped.is_set()


def test_a_local_master_has_no_executor_to_wait_for() -> None:
    def never() -> None:
        raise AssertionError("asked for")

    master.require_executor(FakeSession(never), "local[2]", 5)  # type: ignore[arg-type]


def test_without_an_executor_spark_is_stopped_and_the_size_asked_for_told() -> None:
    session: Any = FakeSession(lambda: time.sleep(3), **{"spark.executor.memory": "8g", "spark.executor.cores": "4"})

    with pytest.raises(SetupError, match="no executor within 1 s; wanted a worker with room for one of 8g of memory"):
        master.require_executor(session, "spark://a:7077", 1)

    assert session.stopped.is_set()


def test_an_application_that_the_cluster_ends_is_told_by_its_first_line() -> None:
    def ended() -> None:
        raise RuntimeError("Job 0 cancelled because SparkContext was shut down\n\tat org.apache.spark.Some")

    session: Any = FakeSession(ended)

    with pytest.raises(SetupError) as refused:
        master.require_executor(session, "yarn", 5)

    assert "yarn: the cluster cannot run a task: Job 0 cancelled because SparkContext was shut down;" in str(
        refused.value
    )
    assert "\tat" not in str(refused.value) and session.stopped.is_set()
