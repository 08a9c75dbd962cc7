"""A shop before its sources deliver: every table starts empty, and fills up as deliveries come, in whatever order."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from medallion import graph, run
from medallion.views import history, plan, show, status

ORDER = {
    "created_at": "2026-01-02T10:00:00Z",
    "updated_at": "2026-01-02T10:00:00Z",
    "status": "paid",
    "total_price": "20.00",
    "line_items": [{"product_id": "p1", "quantity": 2, "price": "10.00"}],
}
PRODUCTS = "product_id,title,updated_at\np1,Cup,2026-01-01T00:00:00Z\n"
RATES = "Date,USD,\n2026-01-02,2.0000,\n"


def _statuses(report: Any) -> set[tuple[str, str]]:
    return {(outcome.status, outcome.error or "") for outcome in report.outcomes}


def _terms(report: Any, name: str, *terms: str) -> list[int]:
    (outcome,) = [outcome for outcome in report.outcomes if outcome.table == name]
    return [outcome.rows[term] for term in terms]


def _shown(view: Any) -> str:
    out = io.StringIO()
    view.render(Console(width=200, file=out))
    return out.getvalue()


@pytest.fixture
def shop(lakehouse: Callable[..., Any]) -> Any:
    return lakehouse("shop")


def test_a_plan_says_what_starts_empty(shop: Any) -> None:
    tables = list(graph.load(shop.conf))

    told = _shown(plan.of(run.prepare(shop.conf), tables))

    assert told.count("no delivery yet: it starts empty") == len(shop.conf.pipeline.sources)
    assert f"{len(tables)} of {len(tables)} tables would be refreshed" in told


@pytest.mark.slow
def test_every_table_starts_empty_as_declared_and_fills_up_as_sources_deliver(shop: Any) -> None:
    first = shop.run()

    assert _statuses(first) == {("done", "")}
    assert all(check.passed for outcome in first.outcomes for check in outcome.checks)
    _require_empty_as_declared(shop)
    _require_views_of_empty_tables(shop)
    assert _statuses(shop.run()) == {("skipped", "")}
    assert set(shop.versions().values()) == {0}

    shop.deliver("orders", *[json.dumps(ORDER | {"id": c, "currency": c}) for c in ("EUR", "USD")])
    ordered = shop.run()
    assert {status for status, _ in _statuses(ordered)} == {"done", "skipped"}
    assert _terms(ordered, "shop.silver.orders", "written", "waiting") == [1, 1]
    assert _terms(ordered, "shop.silver.order_items", "written", "waiting") == [0, 1]
    assert [row.revenue for row in shop.rows("shop.gold.revenue").collect()] == [20]

    shop.deliver("exchange_rates", RATES, ending="csv")
    shop.deliver("products", PRODUCTS, ending="csv")
    assert shop.run().passed
    revenue = shop.rows("shop.gold.revenue").selectExpr("sum(orders) AS orders", "sum(revenue) AS revenue").first()
    assert tuple(revenue) == (2, 30)
    assert shop.rows("shop.gold.order_lines").count() == 2


def _require_empty_as_declared(shop: Any) -> None:
    assert set(shop.versions().values()) == {0}
    for name, table in graph.load(shop.conf).items():
        rows = shop.rows(name)
        assert rows.isEmpty(), name
        if table.columns:
            declared = {column: type_.replace(" ", "") for column, (type_, _) in table.columns.items()}
            assert dict(rows.dtypes) == declared, name


def _require_views_of_empty_tables(shop: Any) -> None:
    assert "0 of 0 rows" in _shown(show.of(shop.conf, "shop.gold.revenue"))
    assert "0 of 0 rows" in _shown(show.of(shop.conf, "shop.bronze.orders"))
    assert "landing.orders, nothing yet" in _shown(history.of(shop.conf, "shop.bronze.orders"))
    assert "shop.bronze.orders, all up to 0" in _shown(history.of(shop.conf, "shop.silver.orders"))
    nothing = len(shop.conf.pipeline.sources) + 1  # each source; and no run was recorded
    assert _shown(status.of([shop.conf])).count("none yet") == nothing
    prepared = run.prepare(shop.conf)
    assert f"0 of {len(prepared.tables)} tables" in _shown(plan.of(prepared, list(prepared.tables)))
