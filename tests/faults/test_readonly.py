"""Folders that may not be written, for root neither: told in a line, nothing moves, and written again all goes on."""

from pathlib import Path

import pytest

from medallion.errors import StorageError
from tests import figures
from tests.faults import disks
from tests.faults.conftest import Prepared
from tests.faults.vault import BRONZE, GOLD, QUARANTINE, SILVER, Vault

pytestmark = pytest.mark.slow
READONLY = "it may not be written; wanted a folder that this user may write"
PLACES = {
    "bronze log": (BRONZE, "_delta_log"),
    "quarantine log": (QUARANTINE, "_delta_log"),
    "silver data": (SILVER, "."),
    "gold log": (GOLD, "_delta_log"),
}


def _folder(lake: Vault, place: str) -> Path:
    name, below = PLACES[place]
    return lake.path(name) / below


def test_tables_that_may_not_be_written_are_told_and_the_next_run_goes_on(prepared: Prepared, tmp_path: Path) -> None:
    """One lake, whose folders are closed one after another: each run comes as far as the next of them."""
    lake = prepared.before.copy(tmp_path / "lake")
    had = lake.seen()
    for place in PLACES:
        with disks.readonly(_folder(lake, place)):
            before = lake.versions()
            report = lake.run()
            (failed,) = [outcome for outcome in report.outcomes if outcome.status == "failed"]
            assert READONLY in str(failed.error) and "\n" not in str(failed.error), failed.error
            assert failed.table.split(".")[2] == PLACES[place][0].split(".")[2]
            assert lake.versions()[PLACES[place][0]] == before[PLACES[place][0]]
            if place != "gold log":
                assert lake.seen() == had
    assert lake.run().passed
    figures.note("storage faults", injected=len(PLACES), loud=len(PLACES), recovered=len(PLACES), silent=0)
    assert lake.contents() == prepared.after


def test_a_lock_or_records_that_may_not_be_written_are_told(prepared: Prepared, tmp_path: Path) -> None:
    lake = prepared.before.copy(tmp_path / "lake")
    with disks.readonly(lake.folder / "ops"), pytest.raises(StorageError, match=READONLY) as locked:
        lake.run()
    assert lake.versions() == prepared.before.versions()
    report = lake.run()
    with disks.readonly(lake.folder / "ops" / "vault"), pytest.raises(StorageError, match=READONLY) as recorded:
        lake.record(report)

    assert "the lock cannot be taken" in str(locked.value)
    assert "passed, but is not recorded" in str(recorded.value)
    lake.record(report)
    figures.note("storage faults", injected=2, loud=2, recovered=int(lake.contents() == prepared.after), silent=0)
    assert lake.contents() == prepared.after


def test_a_landing_that_may_not_be_written_delivers_nothing(prepared: Prepared, tmp_path: Path) -> None:
    lake = prepared.before.copy(tmp_path / "lake")
    with disks.readonly(lake.folder / "landing"), pytest.raises(OSError, match="Read-only file system"):
        lake.deliver(5)

    figures.note("storage faults", injected=1, loud=1, recovered=1, silent=0)
    assert lake.deliver(5).number == 5
