"""The folder of a warm Spark server, ``<ops root>/warm``: what lies in it, written as a whole or not at all.

Needs nothing but the standard library.
"""

import fcntl
import os
import socket
from pathlib import Path

ABOUT = "server.json"  # what the server is and where; there from when it answers until it is to end
TOKEN = "server.token"  # who has it may use the server; for its owner only
SETTINGS = "server.properties"  # Spark's, which may hold secrets; only while it starts
LOCK = "server.lock"  # held by the process that keeps the server, whose id is in it
USED = "server.used"  # when it was last used, in seconds of the monotonic clock
LOG = "server.log"
CLIENTS = "clients"  # a file for each that uses it


def write(path: Path, text: str, *, secret: bool = False) -> None:
    """Write a file as a whole or not at all; a secret one is for its owner only."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644), "w") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def is_held(path: Path) -> bool:
    """Tell whether a process holds the lock on a file; False where there is no such file."""
    try:
        with path.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def answers(host: str, port: int, seconds: float) -> bool:
    """Tell whether somebody listens on a port."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False
