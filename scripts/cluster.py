"""Start a small Spark standalone cluster on this machine's loopback, from the Spark of this environment, and stop it.

For trying out and testing: one master and some workers of 1 core and 1 GiB each, on free ports, with their logs in
one folder. `down` stops it from any terminal.
"""

import argparse
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.request import ProxyHandler, build_opener

from setup_steps import FAILURE_LINES, ROOT, SetupError

FOLDER = ROOT / "data" / "cluster"
START_SECONDS = 90
STOP_SECONDS = 20
_POLL_SECONDS = 0.2
_RECORD = "processes.json"
_MASTER = "org.apache.spark.deploy.master.Master"
_WORKER = "org.apache.spark.deploy.worker.Worker"
Found = TypeVar("Found")

_children: dict[int, "subprocess.Popen[bytes]"] = {}


@dataclass
class Cluster:
    """What is up: its addresses and processes, each the head of a group."""

    folder: Path
    master: str = ""
    page: str = ""
    processes: list[int] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Start or stop the cluster of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["up", "down"])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="its logs and workers' files (data/cluster)")
    parser.add_argument("--workers", type=int, default=2, help="how many (2)")
    given = parser.parse_args(arguments)
    try:
        if given.verb == "down":
            print("stopped" if stop(given.folder) else "none was up")
            return 0
        cluster = start(given.folder, given.workers)
    except SetupError as error:
        sys.exit(f"cluster: {error}")
    print(f"master  {cluster.master}\npage    {cluster.page}\nlogs    {cluster.folder}")
    return 0


@contextmanager
def running(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Have a cluster as long as the block lasts."""
    cluster = start(folder, workers)
    try:
        yield cluster
    finally:
        stop(folder)


def start(folder: Path, workers: int) -> Cluster:
    """Return a cluster once all its workers are registered; raise SetupError, with nothing left up, where it fails."""
    folder = folder.resolve()
    if _ours(folder):
        raise SetupError(f"one is up already, in {folder}; `make cluster-down` stops it")
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(folder)
    try:
        log = _launch(cluster, "master", _MASTER)
        cluster.master = _wait_for(cluster, lambda: _said(log, r"Starting Spark master at (spark://\S+)"))
        cluster.page = _wait_for(cluster, lambda: _said(log, r"MasterWebUI to \S+, and started at (http://\S+)"))
        for number in range(1, workers + 1):
            size = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"worker-{number}")]
            _launch(cluster, f"worker-{number}", _WORKER, *size, cluster.master)
        _wait_for(cluster, lambda: _registered(cluster) == workers)
    except BaseException:
        stop(folder)
        raise
    return cluster


def stop(folder: Path) -> bool:
    """End the processes of a folder's cluster, executors too, and wait for that; tell whether there were any."""
    folder = folder.resolve()
    groups = _ours(folder)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for group in filter(_is_up, reversed(groups)):
            os.killpg(group, sign)
        deadline = time.monotonic() + STOP_SECONDS
        while any(map(_is_up, groups)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    (folder / _RECORD).unlink(missing_ok=True)
    return bool(groups)


def _launch(cluster: Cluster, name: str, daemon: str, *arguments: str) -> Path:
    """Start a daemon of Spark on free ports, in a group of its own, and return its log."""
    spark = _spark_home()
    log = cluster.folder / f"{name}.log"
    properties = cluster.folder / "spark.properties"
    properties.write_text("spark.master.rest.enabled false\n")
    settings = {"SPARK_HOME": str(spark), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
    place = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--properties-file", str(properties)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(spark / "bin" / "spark-class"), daemon, *place, *arguments],
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    cluster.processes.append(process.pid)
    (cluster.folder / _RECORD).write_text(json.dumps(cluster.processes))
    return log


def _wait_for(cluster: Cluster, look: Callable[[], Found]) -> Found:
    """Return what is there once it is; raise SetupError with the end of a log where a daemon ends, or it takes long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and all(map(_is_up, cluster.processes)):
        if found := look():
            return found
        time.sleep(_POLL_SECONDS)
    logs = sorted(cluster.folder.glob("*.log"), key=lambda log: log.stat().st_mtime)
    tail = "\n".join(logs[-1].read_text(errors="replace").splitlines()[-FAILURE_LINES:])
    raise SetupError(f"it did not come up; {logs[-1]} ends with:\n{tail}")


def _said(log: Path, pattern: str) -> str:
    """Return what a daemon says in its log, nothing while it has not."""
    found = re.search(pattern, log.read_text(errors="replace"))
    return found.group(1) if found else ""


def _registered(cluster: Cluster) -> int:
    """Return how many workers the master's page knows to be alive."""
    local = build_opener(ProxyHandler({}))  # a proxy would look for 127.0.0.1 elsewhere
    with local.open(f"{cluster.page}/json/", timeout=START_SECONDS) as answer:
        return int(json.load(answer)["aliveworkers"])


def _ours(folder: Path) -> list[int]:
    """Return the recorded processes that are up and ours still: the system gives numbers away again."""
    try:
        recorded = json.loads((folder / _RECORD).read_text())
    except FileNotFoundError:
        return []
    return [process for process in recorded if str(folder) in _command(process)]


def _command(process: int) -> str:
    """Return the command line of a process, nothing if there is none."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(process)], capture_output=True, text=True)
    return shown.stdout


def _is_up(group: int) -> bool:
    """Tell whether a process of a group is there."""
    if group in _children:
        _children[group].poll()  # one that has ended counts until its parent takes note
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _spark_home() -> Path:
    """Return the folder of this environment's Spark."""
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise SetupError("this Python has no pyspark; wanted that of the environment: .venv/bin/python")
    return Path(found.origin).parent


if __name__ == "__main__":
    sys.exit(main())
