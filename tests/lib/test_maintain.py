"""Maintenance on a whole small lake: what goes is what nobody needs, and nobody who needs something notices."""

from collections.abc import Callable
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

pytestmark = pytest.mark.slow

Factory = Callable[..., Any]
KEEP = [f"storage.{layer}.keep_versions=30 days" for layer in ("bronze", "silver", "gold")]
LANDING = ["storage.landing.keep_rows=7 years"]
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


@pytest.mark.once
def test_a_consumer_that_lags_and_a_pinned_run_keep_what_they_need(
    yard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDALLION_HOME", str(yard.conf.project))
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

    assert done["yard.silver.lines"].files_freed  # nobody needs it any more: it was the pin that kept it
    assert "yard.silver.orders" not in done  # whose cache has yet to read on
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
def old(tmp_path: Path, scratch: Factory, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A yard with a day of 2018, and one of today on which products are delivered in full again."""
    lake = scratch("yard", audit_lab.MODULES, audit_lab.CONF, [f"cache.root={tmp_path / 'cache'}"])
    order = audit_lab.order
    monkeypatch.setenv("MEDALLION_NOW", "2018-05-01T06:00:00+00:00")
    lake.deliver("orders", *(order(n, f"o{n}") for n in (1, 2, 3)), order(4, "bad", amount="-1"), "no JSON")
    lake.deliver("products", "product,name\np1,one\np2,two\n", ending="csv")
    lake.deliver("prices", "product,since,price\np1,2018-01-01,1.00\np1,2018-03-01,3.00\n", ending="csv")
    assert lake.run().passed
    monkeypatch.delenv("MEDALLION_NOW")
    lake.deliver("orders", order(11, "o1", 3, "7.25", lines=["a"]), order(12, "bad too", amount="-2"))
    lake.deliver("products", "product,name\np1,one\np3,three\n", ending="csv")
    lake.deliver("prices", "product,since,price\np1,2026-01-01,6.00\n", ending="csv")
    assert lake.run().passed
    return lake


def _rows(lake: Any) -> dict[str, list[str]]:
    names = [name for name in run.prepare(lake.conf).tables if ".bronze." not in name]
    return {name: sorted(str(row) for row in lake.rows(name).collect()) for name in names}


def test_old_records_go_and_what_was_made_of_them_stays(old: Any, scratch: Factory) -> None:
    before = _rows(old)

    done = _maintain(old, *LANDING)

    assert {name: one.rows_removed for name, one in done.items() if one.rows_removed} == {
        "yard.bronze.orders": 5,
        "yard.bronze.products": 1,  # p1 still stands in the newest extract, and would not be stored again
        "yard.bronze.prices": 2,
        "yard.quarantine.orders": 2,
    }
    assert [name for name in done if name.startswith("landing")] == [
        f"landing.{s}" for s in ("orders", "prices", "products")
    ]
    assert _audited(_under(old, *LANDING)) == []
    assert {outcome.status for outcome in old.run().outcomes} <= {"done", "skipped"}
    assert _rows(old) == before
    assert _maintain(old, *LANDING) == {}

    changed = {
        **audit_lab.MODULES,
        "silver/orders.py": (audit_lab.IMPORTS + audit_lab.ORDERS)
        .replace('"sent.lines",', '"sent.lines", F.lit("new").alias("note"),')
        .replace('("array<string>", "lines"),', '("array<string>", "lines"), "note": ("string", "new"),'),
        "silver/prices.py": (audit_lab.IMPORTS + audit_lab.PRICES).replace('cell["since"])', 'F.trim(cell["since"]))'),
    }
    later = scratch("yard", changed, audit_lab.CONF, [f"cache.root={old.conf.platform.cache.root}"], at="changed")
    report = {outcome.table: outcome for outcome in later.run().outcomes}

    orders = report["yard.silver.orders"]
    assert (orders.technique, orders.rows["kept"]) == ("full", 2)
    assert "2 rows stay as they were: yard.bronze.orders has let go of records of deliveries up to 1" in orders.reason
    assert report["yard.silver.prices"].rows["kept"] == 2
    notes = {row.id: row.note for row in later.rows("yard.silver.orders", "id", "note").collect()}
    assert notes == {"o1": "new", "o2": None, "o3": None}
    after = _rows(later)
    assert {name: rows for name, rows in after.items() if name != "yard.silver.orders"} == {
        name: rows for name, rows in before.items() if name != "yard.silver.orders"
    }
    assert _audited(_under(later, *LANDING)) == []


def test_what_is_yet_to_be_read_stays_however_old(
    scratch: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = scratch("yard", audit_lab.MODULES, audit_lab.CONF, [f"cache.root={tmp_path / 'cache'}"])
    monkeypatch.setenv("MEDALLION_NOW", "2018-05-01T06:00:00+00:00")
    for number in (1, 2, 3, 4):
        lake.deliver("orders", audit_lab.order(number, f"o{number}"))
        if number < 3:
            lake.run("yard.bronze.orders")
    monkeypatch.delenv("MEDALLION_NOW")

    planned = forecast.of(run.prepare(_under(lake, *KEEP, *LANDING).conf))

    (bronze,) = [due for due in planned.tables if due.expired]
    assert bronze.expired is not None
    assert (bronze.expired.rows, bronze.held[-1]) == (
        0,
        "yard.silver.orders has taken in deliveries up to 0, 2 are old enough",
    )
    (landing,) = planned.landing
    assert (landing.first, landing.last, landing.held) == (
        1,
        2,
        ("delivery 3: yard.bronze.orders has yet to take it in",),
    )
