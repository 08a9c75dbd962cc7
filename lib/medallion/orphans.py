"""A Spark of our own whose process was killed: its JVM lives on for seconds, perhaps in a commit, and must be ended.

Each process with such a Spark says so in ``<ops root>/spark`` while it lives (see `warm.clients`). Whoever takes a lock
ends what others have left there, so that none of it is committed behind its back.
"""

import atexit
import os
import signal
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

from medallion.conf import Conf
from medallion.errors import LockedError
from medallion.warm import clients
from medallion.warm.files import CLIENTS

FOLDER = "spark"
_SECONDS = 30.0
_POLL_SECONDS = 0.02

# Never closed: a JVM lives as long as its process, whoever still holds a session of it.
_announced: dict[Path, clients.Client] = {}


def announce(conf: Conf, jvm: int) -> None:
    """Say that this process has a Spark of its own, by the id of its JVM, for as long as this process lives."""
    folder = _place(conf)
    if folder is not None and folder not in _announced:
        facts = {"began": _started(os.getpid()), "jvm": jvm, "started": _started(jvm)}
        _announced[folder] = clients.Client(folder, uuid.uuid4().hex, facts)
        atexit.register(_announced[folder].abandon)  # what was interrupted may still be under way


def end(conf: Conf) -> None:
    """End the JVMs that killed processes left behind; raises LockedError where one cannot be ended."""
    folder = _place(conf)
    if folder is None or not (folder / CLIENTS).is_dir():
        return
    with clients.died(folder) as dead:
        for client in dead:
            _end(client)


def _end(client: clients.Left) -> None:
    if _is(client.pid, client.facts.get("began")):  # its file is here as a copy, with a lake that was copied
        return
    jvm, started = int(client.facts.get("jvm", 0)), client.facts.get("started")
    until = time.monotonic() + _SECONDS
    while _is(jvm, started):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(jvm, signal.SIGKILL)
        if time.monotonic() > until:
            raise LockedError(
                f"{client.path}: process {client.pid} was killed, its Spark (process {jvm}) is still there and cannot "
                f"be ended: it may still write; wanted it gone: end process {jvm}"
            )
        time.sleep(_POLL_SECONDS)


def _is(pid: int, started: object) -> bool:
    """Tell whether a process lives; another one may have been given its number since."""
    return clients.is_alive(pid) and _started(pid) == started


def _place(conf: Conf) -> Path | None:
    root = conf.root("ops")
    return None if "://" in root else Path(root, FOLDER)


def _started(pid: int) -> str:
    """Return when a process was started, in the system's own terms; an empty text if that cannot be told."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    with suppress(OSError):
        return subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
    return ""
