"""One prepared lake for all faults of storage: three days taken in, a fourth delivered."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medallion.session import Sessions
from tests.faults import vault
from tests.faults.vault import Content, Vault


@dataclass(frozen=True)
class Prepared:
    """A lake before a run, what readers see of it, and what an undisturbed run makes of it."""

    before: Vault
    seen: Content
    content: Content
    after: Content
    cached: list[Any]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, sessions: Sessions, request: pytest.FixtureRequest) -> Prepared:
    """Checkpoints come so often that a few runs leave some, with commits that bring rows on either side."""
    if request.config.getoption("--connect"):
        pytest.skip("what storage does is the same with either kind of session")
    folder = Path(tmp_path_factory.mktemp("vault"))
    before = vault.new(folder, sessions)
    for number in (1, 2, 3):
        before.deliver(number)
        report = before.run()
        assert report.passed, report.outcomes
        before.record(report)
        if number == 1:
            for name in vault.TABLES:
                told = f"'delta.checkpointInterval' = '{3 if name == vault.SILVER else 2}'"
                sessions.fresh().sql(f"ALTER TABLE delta.`{before.path(name)}` SET TBLPROPERTIES ({told})")
        assert before.sync().passed
    before.deliver(4)
    reference = before.copy(folder / "reference")
    assert reference.run().passed
    assert reference.sync().passed
    return Prepared(before, before.seen(), before.contents(), reference.contents(), reference.cached())
