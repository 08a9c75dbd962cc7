"""Start and end the warm Spark server of a lake: what `medallion up` and `medallion down` do."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import uuid4

from medallion import clock, java, spark_conf
from medallion.conf import Conf
from medallion.errors import SetupError
from medallion.warm import clients as warm_clients
from medallion.warm import server as warm
from medallion.warm.files import LOCK, SETTINGS, is_held
from medallion.warm.keeper import HOST, Task
from medallion.warm.server import Server

_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
_TOKEN = "SPARK_CONNECT_AUTHENTICATE_TOKEN"
_KEEPER = [sys.executable, "-P", "-m", "medallion.warm.keeper"]
_SECONDS = 200
_POLL_SECONDS = 0.1
# What a server needs besides what Spark is started with anyway.
_CONNECT = {
    "spark.connect.grpc.binding.address": HOST,
    "spark.connect.grpc.binding.port": "{port}",
}
_DEFAULTS = {
    # A notebook may be left alone over night; what dead clients left, others end.
    "spark.connect.session.manager.defaultSessionTimeout": "30d",
    "spark.connect.execute.manager.detachedTimeout": "60s",
    # What Spark remembers for its web pages, which nobody sees, would fill its memory in a few dozen runs.
    "spark.sql.ui.retainedExecutions": "10",
    "spark.ui.retainedJobs": "100",
    "spark.ui.retainedStages": "100",
    "spark.ui.retainedTasks": "1000",
    "spark.connect.ui.session.limit": "10",
    "spark.connect.ui.statement.limit": "10",
}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """A server that was ended, and who was using it."""

    server: Server
    users: list[warm_clients.Left]


def start(conf: Conf, tell: Tell, *, try_out: bool = True) -> tuple[Server, bool]:
    """Return the lake's warm server and whether it was up before; start it where there is none.

    ``tell`` hears how it goes. Interrupted or failed, it leaves no process.

    Raises:
        SetupError: It cannot be started, or one that is up does not suit conf.
    """
    folder = _folder(conf)
    found, why = warm.usable(conf, spark_conf.settings(conf))
    if found is not None:
        return found, True
    if why and is_held(folder / LOCK):
        raise SetupError(f"medallion up: {why}")
    task = _task(conf, folder)
    tell(f"starting Spark for environment {conf.environment}")
    with _keeper(task, conf.project) as said:
        server = _when_up(folder, said, tell)
        if try_out:
            tell(f"Spark answers at {server.host}:{server.port}; trying it out")
            _try_out(conf, server)
    return server, False


def keep(conf: Conf) -> None:
    """Become the process that keeps the lake's server, for a supervisor such as systemd; does not return.

    Raises SetupError where one is up already, or Java is missing.
    """
    folder = _folder(conf)
    if is_held(folder / LOCK):
        raise SetupError(f"medallion up: a server of this lake is up or being started; see {folder}")
    task = _task(conf, folder, plain=True)
    with tempfile.TemporaryFile("w+") as text:
        text.write(task.to_json())
        text.flush()
        text.seek(0)
        os.dup2(text.fileno(), 0)
    os.chdir(conf.project)
    os.execv(sys.executable, _KEEPER)


def end(conf: Conf, tell: Tell) -> Ended | None:
    """End the lake's warm server and return what it was; None where none is up.

    Raises SetupError where it does not end.
    """
    folder = _folder(conf)
    server = warm.read(folder)
    users = warm_clients.in_use(folder)
    if not is_held(folder / LOCK):
        if server is not None:
            warm.forget(server)
        return None
    keeper = _keeper_id(folder)
    tell(f"ending the Spark server kept by process {keeper}")
    with suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGTERM)
    until = time.monotonic() + _SECONDS
    while is_held(folder / LOCK):
        if time.monotonic() > until:
            raise SetupError(f"medallion down: process {keeper} does not end; `kill -9 {keeper}` does")
        time.sleep(_POLL_SECONDS)
    return Ended(server, users) if server else None


def _folder(conf: Conf) -> Path:
    folder = warm.place(conf)
    if folder is None:
        raise SetupError(f"storage.ops.root: found {conf.root('ops')}; wanted a local folder for a warm server")
    if conf.platform.spark.remote:
        raise SetupError(
            f"spark.remote: found {conf.platform.spark.remote}; wanted null: a warm server is one of our own"
        )
    return folder


def _task(conf: Conf, folder: Path, *, plain: bool = False) -> Task:
    """Return what a keeper is to keep: Spark as this conf would start it, and a server within."""
    environment = spark_conf.environment(conf)
    java.require(environment)
    token = token_hex(32)
    wanted = spark_conf.settings(conf)
    named = {"spark.app.name": f"medallion {conf.environment}"}
    launched = {**_DEFAULTS, **named, **spark_conf.launched_with(conf), **_CONNECT}
    options = ["--properties-file", str(folder / SETTINGS), "--load-spark-defaults", "--class", _SERVER]
    idle = conf.platform.spark.idle
    return Task(
        folder=folder,
        command=[_spark_submit(environment), *options, "spark-internal"],
        environment={**environment, _TOKEN: token},
        settings=launched,
        token=token,
        about={
            "id": str(uuid4()),
            "environment": conf.environment,
            "started_at": clock.now().isoformat(timespec="seconds"),
            "versions": warm.versions(),
            "settings": warm.digests(wanted, token),
        },
        port=conf.platform.spark.port,
        idle_seconds=idle.total_seconds() if idle else None,
        plain=plain,
    )


def _spark_submit(environment: Mapping[str, str]) -> str:
    """Return the script that starts the Spark which pyspark would start itself."""
    package = find_spec("pyspark")
    home = environment.get("SPARK_HOME") or str(Path(str(package.origin if package else "")).parent)
    return str(Path(home, "bin", "spark-submit"))


@contextmanager
def _keeper(task: Task, project: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a keeper; where the block does not come to its end, end it, and the server with it."""
    process = subprocess.Popen(
        _KEEPER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a ^C at this terminal is not for the server
        cwd=project,
    )
    try:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(task.to_json())
            process.stdin.close()
        yield process
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
        process.returncode = process.returncode or 0  # it lives on: no warning that we do not wait for it


def _when_up(folder: Path, keeper: "subprocess.Popen[str]", tell: Tell) -> Server:
    """Wait until the server is up, ours or another's that was being started meanwhile."""
    assert keeper.stdout is not None
    said: dict[str, Any] = json.loads(keeper.stdout.readline() or "{}")
    if said.get("state") == "busy":
        tell("another process is starting it")
        until = time.monotonic() + _SECONDS
        while warm.read(folder) is None and is_held(folder / LOCK) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
    elif said.get("state") != "up":
        raise SetupError(f"medallion up: Spark does not start: {said.get('what', 'its keeper ended')}")
    server = warm.read(folder)
    if server is None:
        raise SetupError("medallion up: Spark does not start; the process that was starting it gave up")
    return server


def _try_out(conf: Conf, server: Server) -> None:
    """Have the server do a little of all that steps do, so that the first run does not wait for its first times."""
    from medallion.warm import trial

    trial.run(conf, server)


def _keeper_id(folder: Path) -> int:
    """Return the process that keeps a server, or is starting one; raises SetupError for any other."""
    try:
        process = int((folder / LOCK).read_text())
        about = Path(f"/proc/{process}/cmdline")
        if not about.parents[1].exists() or _KEEPER[-1] in about.read_text():  # systems without /proc do not tell
            return process
    except (OSError, ValueError):
        pass
    raise SetupError(f"{folder / LOCK}: held, but by no process that keeps a server; try again")
