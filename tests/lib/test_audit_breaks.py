"""Each planted corruption turns the audit red, on the invariant it breaks, with the table, path or id that is wrong.

One lake is made by the engine; each test breaks a copy.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion import conf as conf_door
from medallion import run
from medallion.audit import run as auditing
from medallion.audit.report import Audit
from tests import figures
from tests.lib import audit_lab
from tests.lib.audit_breaks import Copy, copied
from tests.lib.audit_planted import PLANTED, RECOMPUTED, Planted, checkpoint, expire

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def yard(shared_scratch: Callable[..., Any]) -> Any:
    """The yard as it should be."""
    return audit_lab.make(shared_scratch)


def _broken(yard: Any, folder: Path, planted: Planted) -> Copy:
    copy = copied(yard.conf, folder, lambda given: conf_door.load("yard", [*given, *planted.conf], yard.conf.project))
    planted.break_it(copy)
    return copy


def _require(found: Audit, planted: Planted) -> None:
    told = [(one.invariant, one.subject, one.what, one.examples) for one in found.findings]
    met = [
        one
        for one in found.findings
        if (one.invariant, one.subject) == (planted.invariant, planted.subject)
        and any(planted.says in text for text in (*one.examples, one.what))
    ]
    figures.note("corruptions", planted=1, found=int(bool(met)))
    assert met, told or [(one.subject, one.why) for one in found.unchecked]
    assert all(one.next for one in met)
    assert not found.passed


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_broken_is_found(name: str, yard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YARD_SECRET", "hunter2-hunter2")
    copy = _broken(yard, tmp_path, PLANTED[name])
    _require(auditing.audit(run.prepare(copy.conf), None), PLANTED[name])


@pytest.mark.parametrize("name", RECOMPUTED)
def test_what_only_a_recomputation_tells_is_found(name: str, yard: Any, tmp_path: Path) -> None:
    copy = _broken(yard, tmp_path, RECOMPUTED[name])
    _require(auditing.audit(run.prepare(copy.conf), yard.sessions, only=[4]), RECOMPUTED[name])


def test_a_copy_that_nobody_broke_is_quiet(yard: Any, tmp_path: Path) -> None:
    copy = _broken(yard, tmp_path, Planted(0, "", "", checkpoint))
    found = auditing.audit(run.prepare(copy.conf), None)

    figures.note("corruptions", false_alarms=len(found.findings))
    assert [(one.invariant, one.subject, one.what, one.examples) for one in found.findings] == []
    assert next(one for one in found.results if one.invariant == 7).looked_at["checkpoints"] == 1


def test_a_log_that_expired_behind_a_checkpoint_is_whole(yard: Any, tmp_path: Path) -> None:
    copy = _broken(yard, tmp_path, Planted(0, "", "", expire))
    found = auditing.audit(run.prepare(copy.conf), None)

    assert [(one.invariant, one.subject, one.what, one.examples) for one in found.findings] == []


def test_at_least_forty_corruptions_are_planted() -> None:
    assert len(PLANTED) + len(RECOMPUTED) >= 40
