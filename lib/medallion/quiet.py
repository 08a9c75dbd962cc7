"""Start Spark without the line that a JVM says of itself; whatever else it says reaches the reader."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Java says it of a module that Spark asks for, and has no option against it.
_NOISE = b"WARNING: Using incubator modules"
_STDERR = 2


@contextmanager
def starting() -> Iterator[None]:
    """Have processes that are started within pass their stderr through a filter, for as long as they live."""
    read, write = os.pipe()
    stderr = os.dup(_STDERR)
    os.dup2(write, _STDERR)
    os.close(write)
    threading.Thread(target=_pass_on, args=(read, os.dup(stderr)), name="stderr", daemon=True).start()
    try:
        yield
    finally:
        os.dup2(stderr, _STDERR)
        os.close(stderr)


def _pass_on(read: int, to: int) -> None:
    with open(read, "rb") as lines, open(to, "wb", buffering=0) as stderr:
        for line in lines:
            if not line.startswith(_NOISE):
                stderr.write(line)
