"""Maintenance on a whole small lake: what goes is what nobody needs, and nobody who needs something notices."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medallion import catalog, clock, lock, run
from medallion.audit import pins
from medallion.audit import run as auditing
from medallion.errors import HistoryError, LockedError
from medallion.lake import Lake
from medallion.maintain import forecast, layout, runpins, work
from tests.lib import audit_lab
from tests.lib.aged import copied

Factory = Callable[..., Any]
KEEP = [f"storage.{layer}.keep_versions=30 days" for layer in ("bronze", "silver", "gold")]
GOLD = ("yard.gold.sales", "yard.gold.revenue")


@pytest.fixture(scope="module")
def yard(shared_scratch: Factory) -> Any:
    """The yard after its days; then silver went on, twice, and gold has not read that yet."""
    lake = audit_lab.make(shared_scratch)
    for event, amount in ((51, "8.25"), (52, "9.75")):
        lake.deliver("orders", audit_lab.order(event, "o3", event, amount))
        lake.run(*[name for name in run.prepare(lake.conf).tables if ".gold." not in name])
    return lake


def _under(lake: Any, *overrides: str) -> Any:
    roots = [f"cache.root={lake.conf.platform.cache.root}"]
    return lake.with_overrides(*roots, *overrides)


def _maintain(lake: Any, *overrides: str) -> dict[str, work.Done]:
    under = _under(lake, *KEEP, *overrides)
    done = work.maintain(run.prepare(under.conf), lake.sessions)
    assert [one.error for one in done if one.error] == []
    return {one.table: one for one in done}


def _good(lake: Any) -> dict[str, int]:
    states = [state for name in run.prepare(lake.conf).tables if (state := Lake(lake.conf).state(name))]
    return {state.name: state.good for state in states}


def _by_change(lake: Any) -> Any:
    """Return the lake where gold fails rather than be refreshed in full."""
    return _under(lake, "runtime.refresh=incremental")


def _audited(lake: Any) -> list[str]:
    """Return what an audit of the lake finds wrong."""
    found = auditing.audit(run.prepare(lake.conf), lake.sessions)
    return [f"{one.subject}: {one.what}: {one.examples}" for one in found.findings]


def _last_run(lake: Any, name: str) -> str:
    state = Lake(lake.conf).state(name)
    assert state is not None and state.account is not None
    return state.account.run_id


def test_a_consumer_that_lags_and_a_pinned_run_keep_what_they_need(yard: Any, tmp_path: Path) -> None:
    lake = copied(yard, tmp_path, days=100)
    gold_run = _last_run(lake, "yard.gold.sales")
    prepared = run.prepare(lake.conf)
    until = clock.run_date() + timedelta(days=30)
    runpins.place(prepared, pins.pin(prepared), lake.sessions, gold_run, until)
    planned = forecast.of(run.prepare(_under(lake, *KEEP).conf))
    held = {due.name: due.held for due in planned.tables}
    expected = {due.name: due.free for due in planned.tables}

    done = _maintain(lake)

    assert any("yard.gold.sales has read no further than" in line for line in held["yard.silver.orders"])
    assert any(f"run {gold_run}, pinned until {until}" in line for line in held["yard.silver.orders"])
    freed = {name: (one.files_freed, one.bytes_freed) for name, one in done.items() if one.files_freed}
    assert freed == {name: (one.files, one.bytes) for name, one in expected.items() if one.files}
    assert freed  # what came before the pinned run
    then = catalog.as_of("yard", gold_run, _overrides(lake), lake.sessions)
    assert then.table("yard.silver.orders").count() > 0
    assert [one.technique for one in _by_change(lake).run(*GOLD).outcomes] == ["affected_keys", "signed_delta"]
    assert _audited(lake) == []

    runpins.lift(prepared, pins.pin(prepared), lake.sessions, [gold_run])
    lake = copied(lake, tmp_path / "later", days=100)
    done = _maintain(lake)

    assert done["yard.silver.orders"].files_freed  # nobody needs it any more: it was the holds that kept it
    with pytest.raises(HistoryError, match="cannot be kept whole"):
        runpins.place(run.prepare(lake.conf), pins.pin(run.prepare(lake.conf)), lake.sessions, gold_run, until)
    assert _audited(lake) == []
    assert _maintain(lake) == {}


def _overrides(lake: Any) -> list[str]:
    return audit_lab.roots(lake.conf)


def test_small_files_become_few_and_no_consumer_sees_a_change(
    yard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_SAVED_FILES", 1)
    twin, lake = copied(yard, tmp_path / "twin"), copied(yard, tmp_path / "lake")
    good = _good(lake)

    done = _maintain(lake)

    compacted = [name for name, one in done.items() if any(told.startswith("compact") for told in one.done)]
    assert "yard.bronze.orders" in compacted
    assert all(done[name].files_after < done[name].files_before for name in compacted)
    assert good == _good(lake)
    assert _maintain(lake) == {}
    reports = []
    for one in (lake, twin):
        one.deliver("orders", audit_lab.order(61, "o4", 9, "3.00"), audit_lab.order(62, "o9", product="p2"))
        reports.append({outcome.table: (outcome.technique, outcome.rows) for outcome in _by_change(one).run().outcomes})
    assert reports[0] == reports[1]
    assert {technique for technique, _ in reports[0].values()} <= {"append", "affected_keys", "signed_delta", "skip"}
    for name in [name for name in good if ".bronze." not in name]:
        assert sorted(map(str, lake.rows(name).collect())) == sorted(map(str, twin.rows(name).collect()))
    assert _audited(lake) == []


def test_a_run_at_work_is_not_disturbed(yard: Any) -> None:
    with lock.running(yard.conf, "at-work"), pytest.raises(LockedError, match="run at-work"):
        work.maintain(run.prepare(yard.conf), yard.sessions)


@pytest.fixture
def seven_years_ago(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MEDALLION_NOW", "2018-05-01T06:00:00+00:00")
    yield
