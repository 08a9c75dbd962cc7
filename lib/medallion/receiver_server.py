"""`medallion serve`: the receiver behind a socket, until SIGTERM or ^C."""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from medallion.conf import Conf
from medallion.errors import SetupError
from medallion.intake_conf import Receiver
from medallion.output import tell
from medallion.receiver_counts import to_stderr, told

if TYPE_CHECKING:
    from starlette.applications import Starlette

_MOST_CONNECTIONS = 500
_GRACE_SECONDS = 30  # for posts that are being answered; then they are cut off, and not acknowledged


def serve(confs: Sequence[Conf], *, json: bool) -> int:
    """Take posts for pipelines until told to stop, then answer those that are there; return the exit code.

    Raises ConfError or SetupError where it cannot start.
    """
    from medallion import receiver

    app = receiver.app_of(confs)
    with _listening(confs[0].platform.receiver) as listener:
        _tell_start(app, listener, json=json)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        try:
            _run(app, listener)
        except SystemExit as end:
            if end.code:
                raise
    to_stderr(f"ended; {told(app.state.receiver.counts.all)}")
    return 0


def _run(app: "Starlette", listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",  # which bounds headers
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End without an error: before uvicorn takes signals, and when it passes them on after its own end."""
    raise SystemExit(0)


def _listening(conf: Receiver) -> socket.socket:
    family = socket.AF_INET6 if ":" in conf.host else socket.AF_INET
    try:
        listener = socket.create_server((conf.host, conf.port), family=family, backlog=1024)
    except OSError as error:
        raise SetupError(
            f"receiver: cannot listen on {conf.host}, port {conf.port}: {_why(error)}; wanted an address of this "
            "machine and a free port: receiver.host, receiver.port (0: any free one)"
        ) from None
    # An answer is written in two pieces, and the second would wait 40 ms for the first to be confirmed.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _why(error: OSError) -> str:
    """Return the system's words alone; asyncio and socket add the address to them."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)


def _tell_start(app: "Starlette", listener: socket.socket, *, json: bool) -> None:
    from medallion import receiver

    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if json:
        endpoints = app.state.receiver.endpoints.values()
        sources = [
            {"source": one.name, "path": f"/v1/{one.pipeline}/{one.source}", "signed": bool(one.keys)}
            for one in endpoints
        ]
        tell({"listening": address, "sources": sources}, lambda out: None, json=True)
        sys.stdout.flush()
    to_stderr(f"listening on {address}")
    for line in receiver.lines(app):
        to_stderr(line)
