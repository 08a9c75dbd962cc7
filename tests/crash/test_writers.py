"""Processes that write one table at once: what Delta's own log store loses, and that nothing is lost with our lock."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from medallion import query
from medallion.conf import Conf
from medallion.lake import Lake
from tests import figures
from tests.conftest import LAYERS
from tests.crash import contender, ledger, writer
from tests.crash.scenario import PROJECT

pytestmark = pytest.mark.slow

_SECONDS = 1800


@pytest.fixture
def conf(project: Callable[..., Conf]) -> Conf:
    return project(contender.PIPELINE, {}, "description: A table that many write\n")


def _contend(conf: Conf, folder: Path, module: str, names: Sequence[str], *arguments: str) -> None:
    """Have processes do the same at once; each says when it is ready."""
    roots = [f"storage.{layer}.root={conf.root(layer)}" for layer in LAYERS]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, str(conf.project), str(folder), name, *arguments, *roots],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])},
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]
    try:
        until = time.monotonic() + _SECONDS
        while not all((folder / f"{name}.ready").exists() for name in names):
            assert time.monotonic() < until and all(process.poll() is None for process in processes)
            time.sleep(0.05)
        (folder / "go").touch()
        assert [process.wait(_SECONDS) for process in processes] == [0] * len(names)
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.parametrize("locked", ["yes", "no"])
def test_the_log_store_loses_acknowledged_commits_between_processes_but_not_with_our_lock(
    conf: Conf, tmp_path: Path, locked: str
) -> None:
    (tmp_path / "log").mkdir()
    names, commits = ("first", "second"), 5

    _contend(conf, tmp_path, contender.__name__, names, str(commits), "100", locked)

    acked = ledger.read(tmp_path / "acked").acked["log"]
    written = {line for path in (tmp_path / "log").glob("*.json") for line in path.read_text().splitlines()}
    lost = acked - written
    assert len(acked) == len(names) * commits
    if locked == "yes":
        assert lost == set()
        figures.note("log entries by several processes", acknowledged=len(acked), lost=len(lost))
    else:
        figures.control("log entries by several processes", "one writer a table", red=bool(lost))
        assert lost != set()


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_eight_writers_of_one_table_lose_and_double_nothing(conf: Conf, tmp_path: Path) -> None:
    names, commits = [f"writer-{number}" for number in range(8)], 50

    _contend(conf, tmp_path, writer.__name__, names, str(commits))

    acked = [json.loads(line) for line in ledger.read(tmp_path / "acked").acked["rows"]]
    rows = query.select(Lake(conf).path(contender.TABLE), "SELECT id FROM t", None)
    held = Counter(row["id"] for row in rows)
    lost, twice = {one["id"] for one in acked} - set(held), [id for id, count in held.items() if count > 1]
    versions = [commit.version for commit in Lake(conf).history(contender.TABLE)]
    waits = sorted(one["seconds"] for one in acked)
    figures.note("commits by eight processes", acknowledged=len(acked), lost=len(lost), twice=len(twice))
    figures.note("commits by eight processes", p95_ms=round(1000 * waits[int(0.95 * len(waits))]))
    assert len(acked) == len(names) * commits
    assert (lost, twice) == (set(), [])
    assert sorted(versions) == list(range(len(acked)))
