"""One writer a table: an operating system lock, since Delta's local log can lose an acknowledged commit."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medallion import clock
from medallion.conf import Conf
from medallion.errors import LockedError

_POLL_SECONDS = 0.2


def refuse_shared_storage(conf: Conf) -> None:
    """Raise LockedError where a layer lies on storage that an operating system lock does not cover."""
    for layer in ("landing", "bronze", "silver", "gold", "ops"):
        root = conf.root(layer)
        if "://" in root and not root.startswith("file:"):
            raise LockedError(
                f"conf/platform/{conf.environment}.yaml: storage.{layer}.root: found {root}; wanted a local "
                "folder: without a lock that fences, two drivers on shared storage can lose each other's commits"
            )


@contextmanager
def writing(conf: Conf, name: str, run_id: str) -> Iterator[None]:
    """Hold the only right to write a table; raise LockedError naming the holder, or wait, as conf says.

    The lock goes with the process that holds it, however it ends.
    """
    path = Path(conf.root("ops"), "locks", f"{name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        _take(handle.fileno(), path, name, wait=conf.platform.runtime.on_locked == "wait")
        handle.truncate(0)
        holder = {"run": run_id, "process": os.getpid(), "since": clock.now().isoformat(timespec="seconds")}
        handle.write(json.dumps(holder))
        handle.flush()
        yield


def _take(descriptor: int, path: Path, name: str, *, wait: bool) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not wait:
                raise LockedError(
                    f"{name}: another process writes it ({_holder(path)}); wait for it to end, or set "
                    "runtime.on_locked=wait"
                ) from None
        time.sleep(_POLL_SECONDS)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"run {holder['run']}, process {holder['process']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):  # it has the lock, and writes its name next
        return "starting just now"
