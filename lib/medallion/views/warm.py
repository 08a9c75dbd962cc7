"""The warm Spark server: that it is up, since when and who uses it, or that it was ended."""

import contextlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.conf import Conf
from medallion.output import console, lasting, size
from medallion.warm import clients as warm_clients
from medallion.warm import server as warm
from medallion.warm.files import LOCK, is_held
from medallion.warm.start import Ended as EndedServer

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console


@dataclass(frozen=True)
class User:
    """A process that uses the server."""

    pid: int
    pipeline: str
    since: str


@dataclass(frozen=True)
class Up:
    """A server that is up; ``idle_seconds`` is null while it is in use."""

    environment: str
    address: str
    pid: int
    keeper: int
    started_at: str
    up_for: str
    memory_bytes: int | None
    idle_seconds: int | None
    used_by: list[User]
    was_up: bool = True

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, out: "Console") -> None:
        """Print a line about the server, and one for each that uses it."""
        out.print(f"Spark is {'' if self.was_up else 'now '}up, for environment {self.environment}, at {self.address}")
        out.print(f"  {self.line()}", soft_wrap=True)
        if not self.was_up:
            out.print("  `medallion down` ends it; runs, flows and notebooks of this lake use it by themselves")

    def line(self) -> str:
        """Return in a line how long it is up, how large, and who uses it."""
        parts = [f"pid {self.pid}", f"up {self.up_for}"]
        if self.memory_bytes is not None:
            parts.append(size(self.memory_bytes))
        if self.used_by:
            users = ", ".join(f"{user.pipeline} (process {user.pid}, since {user.since})" for user in self.used_by)
            parts.append(f"in use by {users}")
        elif self.idle_seconds is not None:
            parts.append(f"idle for {lasting(self.idle_seconds)}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Ended:
    """A server that was ended; ``pid`` is null where none was up."""

    pid: int | None
    up_for: str
    used_by: list[User]

    @classmethod
    def of(cls, ended: EndedServer | None) -> "Ended":
        """Return what is told of a server that was ended."""
        return cls(ended.server.pid, ended.server.up_for, _users(ended.users)) if ended else cls(None, "", [])

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, out: "Console") -> None:
        """Print what was ended, and who was using it."""
        if self.pid is None:
            out.print("no Spark server is up")
            return
        out.print(f"Spark (pid {self.pid}) was up {self.up_for} and has ended")
        for user in self.used_by:
            out.print(f"  it was in use by {user.pipeline} (process {user.pid}, since {user.since})")


class Telling:
    """Tells on stderr how a start or an end goes: a line that moves on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._status = self._console.status("") if self._console.is_terminal else None

    def __enter__(self) -> "Telling":
        """Begin to speak."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        """Leave the terminal as it was."""
        if self._status is not None:
            self._status.stop()

    def __call__(self, what: str) -> None:
        """Say what is being done now."""
        if self._status is None:
            self._console.print(what)
        else:
            self._status.update(what)
            self._status.start()


def of(server: warm.Server, *, was_up: bool = True) -> Up:
    """Return what is told of a server that is up."""
    idle = server.idle_for()
    return Up(
        environment=server.environment,
        address=f"{server.host}:{server.port}",
        pid=server.pid,
        keeper=server.keeper,
        started_at=server.started_at,
        up_for=server.up_for,
        memory_bytes=_memory(server.pid),
        idle_seconds=None if idle is None else int(idle),
        used_by=_users(warm_clients.in_use(server.folder)),
        was_up=was_up,
    )


def found(conf: Conf) -> Up | None:
    """Return what is told of a lake's server, None where none is up."""
    folder = warm.place(conf)
    server = warm.read(folder) if folder else None
    if server is None or server.ended or not is_held(server.folder / LOCK):
        return None
    return of(server)


def _users(clients: Iterable[warm_clients.Left]) -> list[User]:
    return [User(one.pid, str(one.facts.get("pipeline", "?")), str(one.facts.get("since", "?"))) for one in clients]


def _memory(pid: int) -> int | None:
    """Return the bytes a process has in memory; None where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return None
