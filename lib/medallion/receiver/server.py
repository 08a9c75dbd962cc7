"""`medallion serve`: the receiver behind a socket, until SIGTERM or ^C."""

import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from medallion.conf import Conf
from medallion.listening import address, listen
from medallion.output import tell
from medallion.receiver.counts import to_stderr, told

if TYPE_CHECKING:
    from starlette.applications import Starlette

_MOST_CONNECTIONS = 500
_GRACE_SECONDS = 30  # for posts that are being answered; then they are cut off, and not acknowledged


def serve(confs: Sequence[Conf], *, json: bool) -> int:
    """Take posts for pipelines until told to stop, then answer those that are there; return the exit code.

    Raises ConfError or SetupError where it cannot start.
    """
    from medallion.receiver import app as receiver

    app = receiver.app_of(confs)
    where = confs[0].platform.receiver
    with listen("receiver", where.host, where.port) as listener:
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


def _tell_start(app: "Starlette", listener: socket.socket, *, json: bool) -> None:
    from medallion.receiver import app as receiver

    if json:
        endpoints = app.state.receiver.endpoints.values()
        sources = [
            {"source": one.name, "path": f"/v1/{one.pipeline}/{one.source}", "signed": bool(one.keys)}
            for one in endpoints
        ]
        tell({"listening": address(listener), "sources": sources}, lambda out: None, json=True)
        sys.stdout.flush()
    to_stderr(f"listening on {address(listener)}")
    for line in receiver.lines(app):
        to_stderr(line)
