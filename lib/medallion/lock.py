"""One run a pipeline and one writer a table: operating system locks, since Delta's local log can lose a commit.

However a run was started (command line, flow, spark-submit, schedule), it takes the same locks; they go with
the process that holds them, however it ends.
"""

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from medallion import causes, clock, orphans
from medallion.conf import Conf
from medallion.errors import LockedError, StorageError
from medallion.faults import point
from medallion.warm import dead

log = logging.getLogger(__name__)

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


def patient(conf: Conf) -> Conf:
    """Return conf under which whoever holds a lock is waited for, whatever it says."""
    runtime = conf.platform.runtime.model_copy(update={"on_locked": "wait"})
    return replace(conf, platform=conf.platform.model_copy(update={"runtime": runtime}))


@contextmanager
def running(conf: Conf, run_id: str) -> Iterator[None]:
    """Hold the only right to run a pipeline; raise LockedError naming the holder, or wait, as conf says."""
    with _held(conf, conf.name, run_id, "is being run by another process"):
        yield


@contextmanager
def writing(conf: Conf, name: str, run_id: str) -> Iterator[None]:
    """Hold the only right to write a table; raise LockedError naming the holder, or wait, as conf says."""
    with _held(conf, name, run_id, "another process writes it"):
        yield


@contextmanager
def _held(conf: Conf, name: str, run_id: str, said: str) -> Iterator[None]:
    path = Path(conf.root("ops"), "locks", f"{name}.lock")
    with _opened(path) as handle:
        _take(handle.fileno(), path, f"{name}: {said}", wait=conf.platform.runtime.on_locked == "wait")
        point("lock.taken")
        dead.end(conf)  # a client that died left the lock, but perhaps a server that goes on for it
        orphans.end(conf)  # or a Spark of its own, that has not noticed yet
        _sign(handle, path, run_id)
        yield


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+")
    except OSError as error:
        raise _unusable(path, error) from None


def _sign(handle: TextIO, path: Path, run_id: str) -> None:
    holder = {"run": run_id, "process": os.getpid(), "since": clock.now().isoformat(timespec="seconds")}
    try:
        handle.truncate(0)
        handle.write(json.dumps(holder))
        handle.flush()
    except OSError as error:
        with suppress(OSError):  # else what could not be written is tried once more
            handle.close()
        raise _unusable(path, error) from None


def _unusable(path: Path, error: OSError) -> StorageError:
    error.filename = None
    return StorageError(f"{path}: the lock cannot be taken: {causes.told(error)}")


def _take(descriptor: int, path: Path, said: str, *, wait: bool) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not wait:
                raise LockedError(
                    f"{said} ({_holder(path)}); wait for it to end, or set runtime.on_locked=wait"
                ) from None
        if not told:
            log.warning("%s (%s); waiting for it to end", said, _holder(path))
            told = True
        time.sleep(_POLL_SECONDS)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"run {holder['run']}, process {holder['process']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):  # it has the lock, and writes its name next
        return "starting just now"
