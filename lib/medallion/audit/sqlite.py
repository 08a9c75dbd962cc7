"""Opens SQLite files to look at them, so that nothing is left beside them: not even SQLite's own files."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def looked_at(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that can only read, and sees one state; raises sqlite3.Error where it cannot be read."""
    path = path.resolve()
    log, shared = (path.with_name(path.name + ending) for ending in ("-wal", "-shm"))
    if not (log.exists() and log.stat().st_size):
        with _connected(path, "immutable=1") as connection:  # nobody writes, and there is nothing to share
            yield connection
    elif shared.exists():
        with _connected(path, "mode=ro") as connection:
            yield connection
    else:  # left by a process that was killed: SQLite would bring the file in order
        with tempfile.TemporaryDirectory(prefix="medallion-audit-") as folder:
            for part in (path, log):
                shutil.copy(part, folder)
            with _connected(Path(folder, path.name), "mode=rw") as connection:
                yield connection


@contextmanager
def _connected(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    uri = f"{path.as_uri()}?{how}"
    with closing(sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        yield connection
