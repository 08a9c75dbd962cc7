"""Points at which a test ends the process as `kill -9` would; without its two environment variables they do nothing.

``MEDALLION_FAULT_AT=bronze.after_commit:2`` ends it the second time that point is reached (without a number: the
first), ``MEDALLION_FAULT_LOG=<file>`` appends the name of each point reached, a line each.
"""

import os
import signal
import threading

_AT, _, _NTH = os.environ.get("MEDALLION_FAULT_AT", "").partition(":")
_LOG = os.environ.get("MEDALLION_FAULT_LOG", "")
_ARMED = bool(_AT or _LOG)

_lock = threading.Lock()
_left = int(_NTH or 1)


def point(name: str) -> None:
    """Say that a point is reached; its name is a literal, and stands in the code once."""
    if _ARMED:
        _reached(name)


def _reached(name: str) -> None:
    global _left
    with _lock:  # tables are refreshed side by side
        if _LOG:
            _note(name)
        if name == _AT:
            _left -= 1
            if _left == 0:
                die()


def die() -> None:
    """End this process, with those it started where it leads a group of its own; nothing is tidied up."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _note(name: str) -> None:
    descriptor = os.open(_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, f"{name}\n".encode())
    finally:
        os.close(descriptor)
