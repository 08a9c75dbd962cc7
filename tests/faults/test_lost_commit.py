"""A newest commit that is lost with all that would tell of it, and a table that has taken it in already."""

from pathlib import Path

import pytest

from tests import figures
from tests.faults.conftest import Prepared
from tests.faults.vault import BRONZE, Vault

pytestmark = pytest.mark.slow


def _lose_newest(lake: Vault, name: str) -> None:
    """Take a table's log back by one commit, as from a backup made before it."""
    log = lake.path(name) / "_delta_log"
    newest = lake.versions()[name]
    for path in [*log.glob(f"{newest:020}.*"), *log.glob(f".{newest:020}.*")]:
        path.unlink()
    (log / "_last_checkpoint").unlink(missing_ok=True)


def test_records_whose_commit_is_lost_are_taken_in_again(prepared: Prepared, tmp_path: Path) -> None:
    lake = prepared.before.copy(tmp_path / "lake")
    _lose_newest(lake, BRONZE)  # silver has taken it in; a delivery more is there meanwhile

    first, second = lake.run(), lake.run()

    found = lake.contents()
    is_right = found == prepared.after
    figures.note("storage faults", injected=1, loud=0, recovered=int(is_right), silent=int(not is_right))
    assert first.passed and second.passed
    assert is_right, {name: (len(found[name]), len(rows)) for name, rows in prepared.after.items()}
