"""A backfill ends where one run would have, in batches; it can be stopped anywhere, and runs go on beside it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion import backfill as engine
from medallion import query, run
from medallion.audit.run import audit
from medallion.errors import ConfError, HistoryError
from medallion.lake import Lake
from medallion.views import backfill
from medallion.views.backfill import Question
from tests.lib import audit_lab

ORDERS = "yard.silver.orders"
BRONZE = ("yard.bronze.orders", "yard.bronze.products", "yard.bronze.prices")
DAYS = 4


@pytest.fixture
def yard(scratch: Callable[..., Any]) -> Any:
    """A yard whose bronze went on for days, each a commit, while nobody looked after silver."""
    lake = scratch("yard", audit_lab.MODULES, audit_lab.CONF)
    lake.deliver("products", "product,name\np1,one\np2,two\n", ending="csv")
    lake.deliver("prices", "product,since,price\np1,2026-01-01,1.00\n", ending="csv")
    for day in range(DAYS):
        at = 10 * day
        late = audit_lab.order(at + 4, f"o{day - 1}", seq=2, amount="7.00", lines=["c"])
        bad = audit_lab.order(at + 5, f"bad{day}", amount="-1")
        lake.deliver("orders", *[audit_lab.order(at + n, f"o{day}{n}") for n in range(3)], late, bad)
        assert lake.run(*BRONZE).passed
    return lake


def _rows(lake: Any, name: str, *leaving: str) -> list[dict[str, Any]]:
    """Return all that a table stores but what tells of the run that stored it."""
    state = Lake(lake.conf).state(name)
    assert state is not None
    rows = query.select(state.path, "SELECT * FROM t")
    left = ("run_id", "_ingested_at", *leaving)
    return sorted(({k: v for k, v in row.items() if k not in left} for row in rows), key=str)


def _tables(lake: Any) -> dict[str, list[dict[str, Any]]]:
    names = [*run.prepare(lake.conf).tables, "yard.quarantine.orders"]
    return {name: _rows(lake, name) for name in names if ".bronze." not in name}


def _commits(lake: Any, name: str) -> list[str]:
    return [one.account.technique for one in Lake(lake.conf).history(name) if one.account][::-1]


def _all(lake: Any, **more: Any) -> backfill.Backfilled:
    return backfill.of(lake.conf, Question(**more), sessions=lake.sessions)


def test_batches_end_where_one_run_would_have(yard: Any, scratch: Callable[..., Any]) -> None:
    tried = backfill.of(yard.with_overrides("runtime.dry_run=true").conf, Question(rows=5), sessions=yard.sessions)
    assert {one.table: one.left for one in tried.tables}[ORDERS] == 5 * DAYS
    assert not Lake(yard.conf).exists(ORDERS)

    done = _all(yard, rows=5)

    assert done.passed
    orders = next(one for one in done.tables if one.table == ORDERS)
    assert (orders.batches, orders.rows, orders.left) == (DAYS, 5 * DAYS, 0)
    assert orders.became["quarantined"] == DAYS
    assert _commits(yard, ORDERS) == ["full"] + ["affected_keys"] * (DAYS - 1)
    assert audit(run.prepare(yard.conf), yard.sessions).passed
    found = _tables(yard)
    assert [one.status for one in yard.run().outcomes] == ["skipped"] * 9  # nothing is left to do
    assert _all(yard).tables == []

    assert _anew(yard) == found


@pytest.mark.once
def test_runs_go_on_beside_it_and_leave_to_it_what_it_has_begun(yard: Any) -> None:
    prepared = run.prepare(yard.conf)
    tables = {name: prepared.tables[name] for name in (ORDERS, "yard.silver.products")}
    assert len(list(engine.turns(prepared, yard.sessions, tables["yard.silver.products"], 1))) == 1
    turns = engine.turns(prepared, yard.sessions, tables[ORDERS], 6)
    first = next(turns)
    turns.close()  # stopped, as by kill
    assert (first.rows, first.left) == (10, 10)
    yard.deliver("orders", audit_lab.order(99, "new"))

    beside = {one.table: one for one in yard.run().outcomes}

    assert beside["yard.bronze.orders"].status == "done"
    assert beside[ORDERS].status == "skipped"
    assert beside[ORDERS].reason == f"waits for the backfill of {ORDERS}: `medallion backfill yard` goes on with it"
    assert beside["yard.gold.sales"].status == "skipped" and not Lake(yard.conf).exists("yard.gold.sales")
    assert audit(run.prepare(yard.conf), yard.sessions).passed

    done = _all(yard, rows=6)

    assert {one.table: one.rows for one in done.tables}[ORDERS] == 11
    assert {one.table: one.status for one in done.downstream}["yard.gold.sales"] == "done"
    assert {row["id"] for row in _rows(yard, "yard.gold.sales")} >= {"new", "o00", "o32"}
    assert all(one.status == "skipped" for one in yard.run().outcomes)


@pytest.mark.once
def test_the_quarantine_is_judged_again_in_batches_each_record_once(yard: Any, scratch: Callable[..., Any]) -> None:
    assert yard.run().passed
    conf = audit_lab.CONF.replace("min: 0}", "min: -5}")
    relaxed = scratch("yard", audit_lab.MODULES, conf, at="relaxed")

    done = backfill.of(relaxed.conf, Question(table="silver.orders", rows=3, quarantine=True), sessions=yard.sessions)

    (orders,) = done.tables
    assert (orders.batches, orders.rows, orders.became["written"]) == (2, DAYS, DAYS)
    assert _rows(relaxed, "yard.quarantine.orders") == []
    assert {f"bad{day}" for day in range(DAYS)} <= {row["id"] for row in _rows(relaxed, "yard.gold.sales")}


@pytest.mark.once
def test_what_only_a_full_refresh_can_do_is_refused(yard: Any, scratch: Callable[..., Any]) -> None:
    assert yard.run().passed
    yard.deliver("orders", audit_lab.order(99, "new"))
    assert yard.run(*BRONZE).passed
    changed = {
        "silver/orders.py": audit_lab.IMPORTS + audit_lab.ORDERS.replace("10, 2)", "11, 2)").replace("(10,2)", "(11,2)")
    }
    lake = scratch("yard", audit_lab.MODULES | changed, audit_lab.CONF, at="later")

    with pytest.raises(
        HistoryError, match="wants a full refresh, not what is new batch by batch: its definition changed"
    ):
        _all(lake)
    with pytest.raises(ConfError, match="found no silver table"):
        _all(lake, table="gold.sales")


def _anew(lake: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the same tables as one run makes them of the same bronze."""
    for layer in ("silver", "gold"):
        shutil.rmtree(Path(lake.conf.root(layer)))
    assert lake.run().passed
    return _tables(lake)
