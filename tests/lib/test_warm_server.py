"""A real warm server: who uses it, who may not, and what becomes of clients and servers that are killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medallion import conf as conf_door
from medallion import query
from medallion.conf import Conf
from medallion.errors import SetupError
from medallion.lake import Lake
from medallion.warm import server as warm
from medallion.warm import start as warm_start
from medallion.warm.clients import Left, in_use
from medallion.warm.connect import Control, local, remote

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
LAYERS = ("landing", "bronze", "silver", "gold", "ops")
COMMAND = [sys.executable, "-c", "import sys; from medallion.cli import main; sys.exit(main())"]

CONF = """
description: Rooms whose curation can be slow
sources:
  rooms: {format: csv, delivers: snapshot, key: id, system: house}
parameters: {pause_ms: 0}
"""
MODULES = {
    "bronze/rooms.py": '"""Rooms."""\nfrom medallion.tables import Bronze\n\ntable = Bronze(source="rooms")\n',
    "silver/rooms.py": '''
"""One row a room."""
from pyspark.sql import Window
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver

table = Silver(
    reads="slow.bronze.rooms",
    key=("id",),
    sequence=("_delivery",),
    columns={"id": ("string", "Id"), "colour": ("string", "Colour")},
)


@table.transform
def rooms(records, *, pause_ms):
    # Behind a window, or Spark would sleep while it plans; the text null, for want of a result.
    first = records.withColumn("n", F.row_number().over(Window.partitionBy("fields.id").orderBy("_delivery")))
    slept = F.expr(f"java_method('java.lang.Thread', 'sleep', n * {pause_ms}L)")
    colour = F.concat_ws("", F.col("fields")["colour"], F.replace(slept, F.lit("null"), F.lit("")))
    return first.select(F.col("fields")["id"].alias("id"), colour.alias("colour"), *CARRIED)
''',
}
PAUSE_MS = 10_000  # a row
WAIT_SECONDS = 120


@dataclass(frozen=True)
class House:
    """A small project and its lake, worked on by processes of their own."""

    folder: Path
    conf: Conf
    roots: Mapping[str, str]
    started: "list[subprocess.Popen[str]]"

    def deliver(self, content: str) -> None:
        from medallion.landing import Landing

        Landing(self.conf, "rooms").deliver([("rooms.csv", content.encode())])

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command on this lake."""
        roots = [f"storage.{layer}.root={root}" for layer, root in self.roots.items()]
        environment = {**os.environ, "MEDALLION_HOME": str(self.conf.project), "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [*COMMAND, *arguments, *roots, "spark.conf.spark.driver.memory=1g"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command on this lake to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def server(self) -> warm.Server:
        folder = warm.place(self.conf)
        assert folder is not None
        server = warm.read(folder)
        assert server is not None
        return server

    def colours(self) -> list[tuple[str, str]]:
        """Return id and colour of every row that silver stores now."""
        rows = query.select(Lake(self.conf).path("slow.silver.rooms"), "SELECT id, colour FROM t")
        return sorted((row["id"], row["colour"]) for row in rows)

    def writers(self) -> list[str]:
        """Return the runs that made silver's versions, the oldest first."""
        commits = [*Lake(self.conf).history("slow.silver.rooms")] if Lake(self.conf).exists("slow.silver.rooms") else []
        return [commit.account.run_id for commit in reversed(commits) if commit.account]

    def wait_until_busy(self, process: "subprocess.Popen[str]") -> Left:
        """Wait until the server works on the slow table for a client; return the client."""
        until = time.monotonic() + WAIT_SECONDS
        control = Control(local(self.server()))
        try:
            while time.monotonic() < until:
                assert process.poll() is None, process.communicate()
                for client in in_use(self.server().folder):
                    # The third session is silver's, after the first of all and bronze's.
                    if len(client.sessions) > 2 and control.is_busy(client.sessions[2]):
                        return client
                time.sleep(0.1)
        finally:
            control.close()
        pytest.fail("the server never worked on the slow table")


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for locks, records and the server that the tests of this module share."""
    return tmp_path_factory.mktemp("ops")


@pytest.fixture
def make_house(tmp_path: Path, project: Callable[..., Conf]) -> Iterator[Callable[[Path], House]]:
    """Return a function that makes a lake whose server is at a place; its processes end with the test."""
    started: list[subprocess.Popen[str]] = []

    def make(ops: Path) -> House:
        roots = {layer: str(ops if layer == "ops" else tmp_path / "lake" / layer) for layer in LAYERS}
        overrides = [f"storage.{layer}.root={root}" for layer, root in roots.items()]
        written = project("slow", MODULES, CONF)
        conf = conf_door.load("slow", [*overrides, "spark.conf.spark.driver.memory=1g"], written.project)
        return House(tmp_path, conf, roots, started)

    yield make
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def house(make_house: Callable[[Path], House], ops: Path, shared: None) -> House:
    """A lake of its own whose server is the shared one."""
    return make_house(ops)


@pytest.fixture(scope="module")
def shared(ops: Path) -> Iterator[None]:
    """A server for the tests that leave it up."""
    conf = conf_door.load("shop", [f"storage.ops.root={ops}", "spark.conf.spark.driver.memory=1g"], PROJECT)
    told: list[str] = []
    warm_start.start(conf, told.append, try_out=False)
    yield
    warm_start.end(conf, told.append)


def test_a_run_uses_the_server_and_leaves_nothing_of_its_own_there(house: House) -> None:
    house.deliver("id,colour\n1,red\n2,blue\n")

    code, out, err = house.call("run", "slow")
    status = json.loads(house.call("status", "slow", "--json")[1])["spark"]

    assert code == 0, out + err
    assert re.search(r"^Spark: warm server \(pid \d+\), up \d+ (s|min)$", err, re.MULTILINE)
    assert house.colours() == [("1", "red"), ("2", "blue")]
    assert (status["pid"], status["used_by"]) == (house.server().pid, [])
    assert 100e6 < status["memory_bytes"] < 4e9
    assert list((house.server().folder / "clients").iterdir()) == []


def test_the_same_lake_made_anew_is_not_mistaken_for_the_one_before(house: House) -> None:
    house.deliver("id,colour\n1,red\n2,blue\n")
    assert house.call("run", "slow")[0] == 0
    for layer in ("landing", "bronze", "silver"):
        Path(house.roots[layer]).rename(house.folder / f"old {layer}")
    house.deliver("id,colour\n3,green\n")

    code, out, err = house.call("run", "slow")

    assert code == 0, out + err
    assert house.colours() == [("3", "green")]


def test_up_says_where_a_server_is_that_is_up_already(house: House) -> None:
    code, out, _ = house.call("up")

    assert code == 0
    assert f"Spark is up, for environment dev, at 127.0.0.1:{house.server().port}" in out
    assert f"pid {house.server().pid}" in out


def test_an_override_turns_it_off_and_other_settings_are_not_used_which_is_said(house: House) -> None:
    house.deliver("id,colour\n1,red\n")

    code, _, err = house.call("run", "slow", "spark.conf.spark.ui.enabled=true")
    house.deliver("id,colour\n1,blue\n")
    second, _, silent = house.call("run", "slow", "spark.warm=false")

    assert (code, second) == (0, 0)
    assert f"Spark: its own; the warm server (pid {house.server().pid}) has other values of spark.ui.enabled" in err
    assert "warm server" not in silent
    assert house.colours() == [("1", "blue")]


def test_a_client_without_the_token_is_refused(house: House) -> None:
    server = house.server()
    (house.folder / "server.token").write_text("another")
    impostor = warm.Server(**{**vars(server), "folder": house.folder})

    for address in (local(impostor), remote(f"sc://{server.host}:{server.port}")):
        control = Control(address)
        with pytest.raises(SetupError, match="it refuses the token"):
            control.check()
        control.close()


def test_the_token_is_in_no_command_line_and_no_log(house: House) -> None:
    server = house.server()
    token = server.token()

    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in (server.pid, server.keeper)]
    files = [path.read_text() for path in server.folder.iterdir() if path.is_file() and path.name != "server.token"]
    assert not any(token in text for text in (*lines, *files))


@pytest.mark.parametrize("successor", [(), ("spark.warm=false",)], ids=["warm", "own Spark"])
def test_what_a_killed_client_left_running_is_ended_before_its_successor_begins(
    house: House, successor: tuple[str, ...]
) -> None:
    house.deliver("id,colour\n1,red\n2,blue\n")
    first = house.start("run", "slow", f"parameters.pause_ms={PAUSE_MS}")
    dead = house.wait_until_busy(first)
    begun = time.monotonic()

    first.kill()
    first.communicate()
    code, out, err = house.call("run", "slow", *successor)
    writers = house.writers()
    control = Control(local(house.server()))
    still_busy = [session for session in dead.sessions if control.is_busy(session)]
    control.close()
    time.sleep(max(0.0, 2 * PAUSE_MS / 1000 + 10 - (time.monotonic() - begun)))  # the dead one's rows would be done

    assert code == 0, out + err
    assert still_busy == []
    assert house.colours() == [("1", "red"), ("2", "blue")]
    assert len(set(house.writers())) == 1
    assert house.writers() == writers
    assert not dead.path.exists()
    assert house.server().is_up()


def test_a_client_that_is_interrupted_leaves_nothing_running(house: House) -> None:
    house.deliver("id,colour\n1,red\n2,blue\n")
    process = house.start("run", "slow", f"parameters.pause_ms={PAUSE_MS}")
    client = house.wait_until_busy(process)

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=WAIT_SECONDS)

    control = Control(local(house.server()))
    assert not any(control.is_busy(session) for session in client.sessions)
    control.close()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert house.writers() == []
    assert in_use(house.server().folder) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("spark.remote=sc://127.0.0.1:1",), "spark.remote: sc://127.0.0.1:1: it does not answer"),
        (("spark.remote={url}", "spark.conf.spark.ui.enabled=true"), "it has other values of spark.ui.enabled"),
    ],
)
def test_a_server_that_conf_names_but_cannot_be_used_is_one_error(
    house: House, overrides: tuple[str, ...], message: str
) -> None:
    house.deliver("id,colour\n1,red\n")
    url = f"sc://127.0.0.1:{house.server().port}"

    code, out, err = house.call("run", "slow", *(override.format(url=url) for override in overrides))

    assert (code, out) == (1, "")
    told = [line for line in err.splitlines() if "spark.remote" in line]
    assert len(told) == 1
    assert message in told[0]
    assert "Traceback" not in err
    assert not Lake(house.conf).exists("slow.bronze.rooms")


def test_a_server_that_conf_names_and_that_suits_is_used(house: House) -> None:
    house.deliver("id,colour\n1,red\n")
    url = f"sc://127.0.0.1:{house.server().port}"

    code, out, err = house.call("run", "slow", f"spark.remote={url}")

    assert code == 0, out + err
    assert f"Spark: server {url}" in err
    assert house.colours() == [("1", "red")]


def test_a_server_that_is_killed_in_the_middle_of_a_run_fails_its_tables_and_the_next_run_goes_through(
    make_house: Callable[[Path], House], tmp_path: Path
) -> None:
    house = make_house(tmp_path / "ops")
    warm_start.start(house.conf, lambda _: None, try_out=False)
    house.deliver("id,colour\n1,red\n2,blue\n")
    run = house.start("run", "slow", f"parameters.pause_ms={PAUSE_MS}", "--json")
    house.wait_until_busy(run)
    server = house.server()

    os.kill(server.pid, signal.SIGKILL)
    out, err = run.communicate(timeout=WAIT_SECONDS)
    errors = [table["error"] for table in json.loads(out)["tables"] if table["error"]]
    exists_half_done = house.writers()
    code, _, next_err = house.call("run", "slow")

    assert run.returncode == 1, err
    assert errors == [
        "slow.silver.rooms: Spark says: the server it ran on has ended; whatever was committed stays, the next run "
        "takes up the rest"
    ]
    assert "Traceback" not in err
    assert exists_half_done == []
    assert code == 0
    assert f"Spark: its own; the warm server (pid {server.pid}) died (killed by signal 9" in next_err
    assert house.colours() == [("1", "red"), ("2", "blue")]
    assert warm.read(server.folder) is None


def test_an_interrupted_up_leaves_no_process(make_house: Callable[[Path], House], tmp_path: Path) -> None:
    house = make_house(tmp_path / "ops")
    process = house.start("up")
    lock = tmp_path / "ops" / "warm" / "server.lock"
    until = time.monotonic() + WAIT_SECONDS
    while not (lock.exists() and lock.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    keeper = int(lock.read_text())
    time.sleep(1)  # its JVM is coming up

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=WAIT_SECONDS)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert not Path(f"/proc/{keeper}").exists()
    assert not warm.is_held(lock)
    left = [path.name for path in lock.parent.iterdir()]
    assert not {"server.json", "server.token", "server.properties"} & set(left)


def test_up_without_a_java_that_will_do_says_so(
    make_house: Callable[[Path], House], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(tmp_path / "ops")
    old = tmp_path / "java" / "bin" / "java"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(old.parents[1]))
    if Path(sys.prefix, "java").exists():
        pytest.skip("the Java that set-up brought comes first here")

    code, out, err = house.call("up")

    assert (code, out) == (1, "")
    assert err.strip().startswith(f"Java: found 11 at {old}; wanted 17, 21 or 25")
    assert not warm.is_held(tmp_path / "ops" / "warm" / "server.lock")


def test_a_setting_that_spark_does_not_take_is_told_in_its_words(
    make_house: Callable[[Path], House], tmp_path: Path
) -> None:
    house = make_house(tmp_path / "ops")

    code, out, err = house.call("up", "spark.master=nowhere")

    assert (code, out) == (1, "")
    assert "Spark does not start" in err
    assert "Traceback" not in err
    assert "\tat " not in err


def settings_of(server: warm.Server, conf: Conf) -> dict[str, Any]:
    """Return for each setting of a conf whether the server lets a session have its own."""
    from pyspark.sql.connect.client import SparkConnectClient
    from pyspark.sql.connect.conf import RuntimeConf

    from medallion.spark_conf import settings

    client = SparkConnectClient(connection=local(server)())
    try:
        return {key: RuntimeConf(client).isModifiable(key) for key in settings(conf)}
    finally:
        client.release_session()
        client.close()


def test_what_a_session_may_set_for_itself_is_told_as_spark_tells_it(house: House) -> None:
    told = settings_of(house.server(), house.conf)

    may = {key for key in told if warm.is_of_session(key)}
    assert may
    assert {key for key in may if not told[key]} == set()
