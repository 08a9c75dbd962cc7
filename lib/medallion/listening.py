"""A port that a server of ours listens on, and how it is told."""

import os
import socket

from medallion.errors import SetupError

_BACKLOG = 2048


def listen(where: str, host: str, port: int) -> socket.socket:
    """Return a socket that listens already, so that nobody who is told of it is refused; port 0 is any free one.

    Raises SetupError, naming the part of conf that says ``where``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SetupError(
            f"{where}: cannot listen on {host}, port {port}: {_why(error)}; wanted an address of this machine and a "
            f"free port: {where}.host, {where}.port (0: any free one)"
        ) from None
    # An answer is written in two pieces, and the second would wait 40 ms for the first to be confirmed.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def address(listener: socket.socket) -> str:
    """Return the http address of a socket that listens."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _why(error: OSError) -> str:
    """Return the system's words alone; asyncio and socket add the address to them."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)
