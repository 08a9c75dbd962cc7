"""A warm Spark server: what it says of itself, whether it suits a conf, and what its dead clients left behind.

`medallion up` starts one for each lake (see `warm_start`); runs, flows and notebooks of the same lake find it here.
"""

import fcntl
import hashlib
import hmac
import json
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medallion.conf import Conf
from medallion.errors import SetupError, some
from medallion.output import lasting
from medallion.warm import clients
from medallion.warm.files import ABOUT, LOCK, TOKEN, USED, answers, is_held

FOLDER = "warm"
ANSWER_SECONDS = 2.0
# What Spark takes from its start alone although its name looks as if a session could have its own.
_STATIC = ("spark.sql.extensions", "spark.sql.catalog", "spark.sql.warehouse.dir", "spark.sql.codegen.cache")


@dataclass(frozen=True)
class Server:
    """A server as its folder describes it; ``settings`` are digests, ``started`` is of the monotonic clock."""

    folder: Path
    id: str
    host: str
    port: int
    pid: int
    keeper: int
    environment: str
    started: float
    started_at: str
    versions: Mapping[str, str]
    settings: Mapping[str, str]
    ended: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"warm server (pid {self.pid})"

    @property
    def up_for(self) -> str:
        """How long it has been up, in words."""
        return lasting(time.monotonic() - self.started)

    def token(self) -> str:
        """Return what a client must show; raises SetupError where it is another user's."""
        try:
            return (self.folder / TOKEN).read_text()
        except PermissionError:
            raise SetupError(f"{self.folder / TOKEN}: belongs to another user, who started the server") from None
        except FileNotFoundError:
            raise SetupError(f"the {self.name} has just ended") from None

    def is_up(self) -> bool:
        """Tell whether this very server is still announced, and kept."""
        now = read(self.folder)
        return now is not None and now.id == self.id and now.ended is None and is_held(self.folder / LOCK)

    def idle_for(self) -> float | None:
        """Return the seconds nobody has used it, None where somebody does."""
        if clients.in_use(self.folder):
            return None
        try:
            return time.monotonic() - float((self.folder / USED).read_text())
        except (OSError, ValueError):
            return None


def place(conf: Conf) -> Path | None:
    """Return the folder of a lake's warm server; None where the lake is not on local disk."""
    root = conf.root("ops")
    return None if "://" in root else Path(root, FOLDER)


def versions() -> dict[str, str]:
    """Return the versions that a server and its clients must share."""
    return {
        "pyspark": version("pyspark"),
        "delta-spark": version("delta-spark"),
        "Python": platform.python_version(),
    }


def digests(settings: Mapping[str, str], token: str) -> dict[str, str]:
    """Return settings with their values made unreadable to whoever has not the token, since some are secrets."""
    return {
        key: hmac.new(token.encode(), f"{key}={value}".encode(), hashlib.sha256).hexdigest()
        for key, value in settings.items()
    }


def is_of_session(key: str) -> bool:
    """Tell whether a session may have its own value of a Spark setting; Spark itself has the last word."""
    return key.startswith(("spark.sql.", "spark.databricks.")) and not key.startswith(_STATIC)


def read(folder: Path) -> Server | None:
    """Return what a folder says of its server, which may have died since; None where there is none."""
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text())
        return Server(folder=folder, **about)
    except (OSError, ValueError, TypeError):  # none, or one of another version of this program
        return None


def usable(conf: Conf, settings: Mapping[str, str]) -> tuple[Server | None, str | None]:
    """Return the warm server that suits a conf; or none, and why one that is there does not.

    ``settings`` are those that Spark would be started with. What a server that died left is removed.
    """
    folder = place(conf)
    server = read(folder) if folder else None
    if server is None:
        return None, None
    if server.ended or not is_held(server.folder / LOCK):
        forget(server)
        why = server.ended or "its keeper was killed"
        return None, f"the {server.name} died ({why}); `medallion up` starts another"
    if not answers(server.host, server.port, ANSWER_SECONDS):
        return None, f"the {server.name} does not answer; `medallion down` ends it"
    try:
        token = server.token()
    except SetupError as error:
        return None, str(error)
    differing = differences(server, digests(settings, token))
    if differing:
        return None, f"the {server.name} has {differing}; `medallion down`, then `medallion up` starts one that suits"
    return server, None


def differences(server: Server, wanted: Mapping[str, str]) -> str | None:
    """Say in which versions and settings a server differs from what is wanted; None where in none.

    A setting that each session may have for itself counts only where the server alone has it.
    """
    found = [
        f"{name} {server.versions.get(name, 'unknown')} (wanted {wanted_version})"
        for name, wanted_version in versions().items()
        if server.versions.get(name) != wanted_version
    ]
    keys = sorted(
        key
        for key in server.settings.keys() | wanted.keys()
        if server.settings.get(key) != wanted.get(key) and not (is_of_session(key) and key in wanted)
    )
    if keys:
        found.append(f"other values of {some(keys)}")
    return " and ".join(found) or None


def forget(server: Server) -> None:
    """Remove what a server that died left, unless another is being started in its place."""
    with suppress(OSError), (server.folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        now = read(server.folder)
        if now is not None and now.id == server.id:
            for name in (ABOUT, TOKEN, USED):
                (server.folder / name).unlink(missing_ok=True)
