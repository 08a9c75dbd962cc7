"""At each call that changes something on disk an operation fails or dies once, and is taken up again."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from medallion import durable
from tests import figures
from tests.crash.operations import OPERATIONS
from tests.crash.scenario import PROJECT
from tests.lib import cache_lab

LEAST = {"landing": 30, "inbox": 12, "gather": 40, "cache_build": 40, "cache_follow": 40}


def _cases() -> Iterator[object]:
    """Yield operations and how they break off; those that take longest are left to `make soak`."""
    for operation in OPERATIONS:
        for how in ("dies", "fails", "fails_after"):
            yield pytest.param(operation, how, marks=[pytest.mark.soak] if operation.startswith("cache") else [])


def test_a_cache_that_is_swapped_in_stays_although_the_sync_of_its_folder_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = cache_lab.make_yard(tmp_path)
    yard.write([cache_lab.log(1)])
    whole = durable.sync

    def sync(path: Path) -> None:
        if path == yard.place.root and yard.place.current() is not None:
            raise OSError("the disk says no")
        whole(path)

    monkeypatch.setattr(durable, "sync", sync)

    assert "the disk says no" in str(yard.sync().error)
    assert yard.held() == yard.wanted()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is such a place: thousands of syncs of a disk tell nothing here."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path / "calls"
        return
    with tempfile.TemporaryDirectory(prefix="medallion-calls-", dir=memory) as found:
        yield Path(found) / "calls"


@pytest.mark.slow
@pytest.mark.parametrize(("operation", "how"), list(_cases()))
def test_an_operation_that_breaks_off_at_any_call_can_be_taken_up(operation: str, how: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.calls", operation, how, str(folder)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    row = "kills at every call" if how == "dies" else "errors at every call"
    figures.note(row, calls=told["calls"], survived=told["calls"] - len(told["problems"]))
    assert told["problems"] == [], done.stderr[-3000:]
    assert told["calls"] >= LEAST[operation]
