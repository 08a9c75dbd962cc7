"""Who uses a Spark Connect server, and who died using it: a file a client, locked by the system while the client lives.

The first line of a file says who the client is, each later one a Connect session of its own. The lock goes
with the client however it ends, so a file that is not locked is of a client that died and may have left work
running. Needs nothing but the standard library: the process that keeps the server looks here too.
"""

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from medallion.errors import LockedError
from medallion.warm.files import CLIENTS, USED, is_held, write

_POLL_SECONDS = 0.05
# A process that is being killed closes its files one by one, and another may be ending what it left behind.
_DEATH_SECONDS = 60
_EXITING = 4  # Linux: PF_EXITING among a process's flags


class Client:
    """This process as a client of a server: the lock on its own file is held until `close`."""

    def __init__(self, folder: Path, name: str, facts: Mapping[str, Any]) -> None:
        """Tell in a warm server's folder who we are; ``name`` is ours alone."""
        clients = folder / CLIENTS
        clients.mkdir(parents=True, exist_ok=True)
        self._path = clients / f"{name}.jsonl"
        self._writing = threading.Lock()
        hidden = clients / f".{name}"
        self._file = hidden.open("x")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write({"pid": os.getpid(), **facts})
        hidden.rename(self._path)  # seen from now on, and locked already

    def add(self, session_id: str) -> None:
        """Note a session before anything can run in it."""
        with self._writing:
            self._write(session_id)

    def leave(self) -> None:
        """Say that nothing of ours runs on the server any more, and since when."""
        with suppress(OSError):
            write(self._path.parent.parent / USED, str(time.monotonic()))
        self.close()

    def close(self) -> None:
        """Say that nothing of ours runs any more."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def abandon(self) -> None:
        """Leave as if we had died, so that others end what we could not."""
        self._file.close()

    def _write(self, line: object) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


@dataclass(frozen=True)
class Left:
    """What the file of a client says: who it is, and its sessions."""

    path: Path
    facts: Mapping[str, Any]
    sessions: tuple[str, ...]

    @property
    def pid(self) -> int:
        """The client's process; 0 where its file does not say."""
        return int(self.facts.get("pid", 0))


def in_use(folder: Path) -> list[Left]:
    """Return the clients that use a server just now, the oldest first."""
    return sorted(
        (_read(path) for path in _files(folder) if is_held(path)), key=lambda client: str(client.facts.get("since"))
    )


@contextmanager
def died(folder: Path) -> Iterator[list[Left]]:
    """Yield the clients that died, for as long as what they left is being ended; then forget them.

    Waits for another process that is doing so already. Where the block raises, they are not forgotten.

    Raises:
        LockedError: A client that is dead, but whose file stays locked.
    """
    found: list[tuple[IO[str], Left]] = []
    try:
        for path in _files(folder):
            handle = _taken(path)
            if handle is not None:
                found.append((handle, _read(path)))
        yield [left for _, left in found]
        for _, left in found:
            left.path.unlink(missing_ok=True)
    finally:
        for handle, _ in found:
            handle.close()


def is_alive(pid: int) -> bool:
    """Tell whether a process lives; one that is on its way out does not."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return not _is_exiting(pid)


def _is_exiting(pid: int) -> bool:
    """Tell whether the system is taking a process down, and closes its files in some order; False if it cannot say."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return state in "ZX" or bool(int(fields[5]) & _EXITING)
    except (OSError, ValueError, IndexError):
        return False


def _files(folder: Path) -> list[Path]:
    return sorted((folder / CLIENTS).glob("*.jsonl"))


def _taken(path: Path) -> "IO[str] | None":
    """Return the file of a client that died, locked by us; None where the client lives or the file has gone."""
    until = time.monotonic() + _DEATH_SECONDS
    while True:
        try:
            handle = path.open()
        except FileNotFoundError:
            return None
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return handle
        handle.close()
        pid = _read(path).pid
        if is_alive(pid) and is_held(path):  # looked at twice: whoever looks holds the lock for a moment
            return None
        if time.monotonic() > until:
            raise LockedError(
                f"{path}: held, though its client (process {pid}) is dead; wanted it free: end the process that holds "
                "it, perhaps a child of the client"
            )
        time.sleep(_POLL_SECONDS)


def _read(path: Path) -> Left:
    """Return what a client's file says; a last line that was not written whole is of a session that ran nothing."""
    lines: list[Any] = []
    with suppress(FileNotFoundError), path.open() as handle:
        for line in handle:
            with suppress(ValueError):
                lines.append(json.loads(line))
    facts = lines[0] if lines and isinstance(lines[0], dict) else {}
    return Left(path, facts, tuple(line for line in lines[1:] if isinstance(line, str)))
