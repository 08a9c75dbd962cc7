"""Prefect's server, worker and deployments on this machine, with the project's settings.

python scripts/prefect_local.py server            until Ctrl-C; its database is in data/prefect
python scripts/prefect_local.py worker            until Ctrl-C; waits for the server
python scripts/prefect_local.py deploy            apply prefect.yaml; again after each change of it or of conf
python scripts/prefect_local.py run shop          start a run and follow it; --layer, --table and KEY=VALUE may follow
python scripts/prefect_local.py flow-run ls       or any other of Prefect's own commands

All but run become a command of Prefect's once that can work. PREFECT_API_URL names another place for the server than
port 4200 on loopback. Exit codes: Prefect's, or 1 where something is not there, 2 where conf cannot be used.
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from medallion.conf import find_project
from medallion.errors import ConfError, LakehouseError

API_URL = "http://127.0.0.1:4200/api"
POOL = "local"
POLL_SECONDS = 1


class ServerError(LakehouseError):
    """A server that is not there, or cannot be; the message says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Become the Prefect command that was asked for, or say why that cannot be."""
    if not arguments:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        project = find_project(Path(__file__).parent)
        set_environment(project)
        os.chdir(project)
        if arguments[0] == "run":
            return run(arguments[1:])
        command = _command(arguments)
    except LakehouseError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfError) else 1
    except KeyboardInterrupt:
        return 130
    os.execv(sys.executable, [sys.executable, "-m", "prefect", *command])


def _command(arguments: Sequence[str]) -> list[str]:
    """Return the Prefect command that does what was asked for; its own go through as they are."""
    ours: dict[tuple[str, ...], Callable[[], list[str]]]
    ours = {("server",): server, ("worker",): worker, ("deploy",): deploy}
    if tuple(arguments) in ours:
        return ours[tuple(arguments)]()
    require_server()
    return list(arguments)


def set_environment(project: Path) -> None:
    """Set what is not set yet: where the server and its files are, and flows' own settings."""
    os.environ.setdefault("PREFECT_API_URL", API_URL)
    os.environ.setdefault("PREFECT_HOME", str(project / "data" / "prefect"))
    os.environ.setdefault("PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT", "false")
    # In memory, as is the default, a restarted server knows of no lease, and a run that cannot renew its own ends.
    leases = "prefect.server.concurrency.lease_storage.filesystem"
    os.environ.setdefault("PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", leases)
    import flows  # noqa: F401 - its settings, now that a server is named


def server() -> list[str]:
    """Return the command that serves API and UI, on loopback only."""
    url = urlsplit(os.environ["PREFECT_API_URL"])
    host, port = url.hostname or "", url.port or 80
    if host not in ("127.0.0.1", "localhost"):
        raise ServerError(f"PREFECT_API_URL: found {host}; wanted 127.0.0.1: a server is started for this machine only")
    if is_up():
        raise ServerError(f"a Prefect server is up already at {url.netloc}; use that one, or stop it first")
    if not is_free(host, port):
        raise ServerError(
            f"port {port}: another program has it; wanted a free one, in every terminal: "
            f"export PREFECT_API_URL=http://127.0.0.1:{port + 1}/api"
        )
    return ["server", "start", "--host", host, "--port", str(port)]


def worker() -> list[str]:
    """Wait for a server, and return the command that works off the pool, which it makes where there is none.

    Prefect's own worker starts without a server too, but with long stack traces.
    """
    if not is_up():
        sys.stderr.write(f"waiting for a Prefect server at {os.environ['PREFECT_API_URL']} (make server)\n")
    while not is_up():
        time.sleep(POLL_SECONDS)
    return ["worker", "start", "--pool", POOL, "--type", "process"]


def deploy() -> list[str]:
    """Make what deployments need on the server, and return the command that applies prefect.yaml."""
    from flows.deployment import check

    check(Path.cwd())
    require_server()
    from flows import watchdog

    make_pool()
    watchdog.make()
    return ["--no-prompt", "deploy", "--all"]


def run(arguments: Sequence[str]) -> int:
    """Start a run of a pipeline's deployment, follow it to its end, and return the exit code."""
    require_server()
    from flows.follow import main as follow

    return follow(arguments)


def require_server() -> None:
    """Raise ServerError where no server answers."""
    if not is_up():
        url = os.environ["PREFECT_API_URL"]
        raise ServerError(f"no Prefect server at {url}; start one in another terminal: make server")


def is_up() -> bool:
    """Return whether a Prefect server answers at PREFECT_API_URL."""
    import httpx

    try:
        return httpx.get(f"{os.environ['PREFECT_API_URL']}/health", timeout=5).text == "true"
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def is_free(host: str, port: int) -> bool:
    """Return whether nobody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def make_pool() -> None:
    """Make the work pool of processes on this machine unless it is there."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
