"""PostgreSQL that is killed in the middle of a COPY: told without secrets, nothing half is published, then all is."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgres
import psycopg
import pytest

from medallion.conf import Connection, SecretRef, Source
from medallion.conf.intake import DatabaseIntake
from medallion.errors import IntakeError
from medallion.intake import database, read_up_to
from medallion.intake import postgres as reading
from medallion.intake.asked import Asked
from medallion.landing import Landing
from tests import figures
from tests.lib.bare_landing import bare_landing

pytestmark = pytest.mark.slow
ROWS = 20_000
SECRET = "hunter2-but-longer"


def _port(address: str) -> int:
    return int(address.rpartition(":")[2].partition("/")[0])


def _fill(address: str) -> None:
    with psycopg.connect(address, user=postgres.USER) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, name text)")
        connection.execute(f"INSERT INTO orders SELECT n, repeat('x', 300) || n FROM generate_series(1, {ROWS}) n")
        connection.commit()
        connection.execute("CHECKPOINT")  # the server of tests would forget what it has in memory only


def _taken(address: str, landing: Landing) -> int:
    """Take in what is new, and return how many rows are published."""
    intake = {"kind": "database", "table": "orders", "key": ["id"], "changed": None, "partitions": 1}
    source = Source.model_validate({"format": "json", "delivers": "snapshot", "system": "db", "intake": intake})
    connection = Connection(url=address, user=postgres.USER, password=SecretRef("env:TRIAL_PASSWORD"))
    asked = Asked(
        "trial.orders", source, connection, landing, read_up_to(landing, None, 0), None, Path(), lambda _: None
    )
    assert isinstance(source.intake, DatabaseIntake)
    database.take(asked, source.intake)
    return _published(landing)


def _published(landing: Landing) -> int:
    return sum(content.count(b"\n") for one in landing.after(0) for _, content in landing.contents(one))


def _kills(monkeypatch: pytest.MonkeyPatch, processes: Callable[[int], list[int]]) -> list[int]:
    """Have processes of the server killed once a thousand rows have come; return which."""
    killed: list[int] = []
    copied = reading.copied

    def breaking(connection: Any, query: Any) -> Iterator[tuple[str, str]]:
        for number, row in enumerate(copied(connection, query)):
            if number == 1000:
                killed.extend(processes(connection.info.backend_pid))
                for process in killed:
                    os.kill(process, signal.SIGKILL)
            yield row

    monkeypatch.setattr(database, "copied", breaking)
    return killed


def _backend(backend: int) -> list[int]:
    """Return the one process that sends the rows; the server ends all others then, and starts again by itself."""
    return [backend]


def _all(backend: int) -> list[int]:
    """Return the server's first process and all that it started."""
    first = _parent(backend)
    found = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [first, *(one for one in found if _parent(one) == first)]


def _parent(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended meanwhile
        return 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the server's processes in /proc")
@pytest.mark.parametrize("processes", [_backend, _all])
def test_a_server_that_is_killed_while_it_sends_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: Callable[[int], list[int]]
) -> None:
    monkeypatch.setenv("TRIAL_PASSWORD", SECRET)
    monkeypatch.setattr(database, "_FILE_ROWS", 300)  # so that some are written before
    landing = bare_landing(tmp_path, "orders")
    with tempfile.TemporaryDirectory(prefix="medallion-postgres-") as folder:
        with postgres.running(Path(folder)) as address:
            _fill(address)
            with monkeypatch.context() as patched:
                killed = _kills(patched, processes)
                with pytest.raises(IntakeError) as raised:
                    _taken(address, landing)
            left = (_published(landing), list((landing.folder / "files").iterdir()))
            if processes is _backend:
                _wait_until_up(address)
                found = _taken(address, landing)
        if processes is _all:
            with postgres.running(Path(folder), _port(address)) as again:
                found = _taken(again, landing)
    told = str(raised.value)
    assert killed
    assert told.startswith("trial.orders: PostgreSQL says: ") and "\n" not in told
    assert SECRET not in told
    assert left == (0, [])
    figures.note("dependency faults", injected=1, loud=1, recovered=int(found == ROWS), silent=0)
    assert found == ROWS


def _wait_until_up(address: str) -> None:
    for _ in range(100):
        try:
            psycopg.connect(address, user=postgres.USER, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("the server does not come back")
