"""`medallion pages`: serves the pages of the caches by several processes that share one port."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.conf import Conf, load, pipelines
from medallion.errors import ConfError
from medallion.listening import address, listen
from medallion.output import as_text

if TYPE_CHECKING:
    from starlette.applications import Starlette

_MOST_WORKERS = 4


@dataclass(frozen=True)
class Factory:
    """Makes the application in each worker process; it is what travels there."""

    project: Path
    overrides: tuple[str, ...]
    parent: int

    def __call__(self) -> "Starlette":
        """Return the application, and see to it that this process ends with its parent."""
        from medallion.cache.page import application

        threading.Thread(target=self._end_with_parent, daemon=True).start()
        return application(self.confs())

    def confs(self) -> list[Conf]:
        """Return the conf of every pipeline."""
        return [load(name, self.overrides, self.project) for name in pipelines(self.project)]

    def _end_with_parent(self) -> None:
        while os.getppid() == self.parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)


def serve(project: Path, overrides: Sequence[str], *, json: bool) -> int:
    """Serve the cached tables of all pipelines until SIGTERM or ^C; return the exit code.

    Raises:
        ConfError: No pipeline has conf.
        SetupError: The port is taken.
    """
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    factory = Factory(project, tuple(overrides), os.getpid())
    confs = factory.confs()
    if not confs:
        raise ConfError("conf/pipelines: found no pipeline; wanted one")
    where = confs[0].platform.cache
    listening = listen("cache", where.host, where.port)
    _tell(confs, listening, json=json)
    workers = max(1, min(_MOST_WORKERS, os.cpu_count() or 1))
    config: Any = uvicorn.Config(
        factory, factory=True, workers=workers, log_level="warning", access_log=False, lifespan="off"
    )
    with listening:
        Multiprocess(config, sockets=[listening]).run()
    return 0


def _tell(confs: Sequence[Conf], listening: socket.socket, *, json: bool) -> None:
    tables = [f"{conf.name}.{table}" for conf in confs for table in conf.pipeline.cache.tables]
    if json:
        sys.stdout.write(as_text({"address": address(listening), "tables": tables}, indent=None) + "\n")
    else:
        sys.stdout.write(
            f"{address(listening)} shows {', '.join(tables) or 'no table: no pipeline has cache.tables'}\n"
        )
    sys.stdout.flush()
