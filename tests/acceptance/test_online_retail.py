"""Online Retail, 68 days of a real shop, taken in bit by bit: what the tables say is exact to the penny."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import run
from medallion.lake import Lake
from tests.acceptance import feeds
from tests.acceptance.accounting import deliver_lines, ecb_rates, require_balanced, require_passed, totals
from tests.conftest import Lakehouse
from tests.gold import compare

LINES, ORDERS = 105_335, 4_894
DAY_BY_DAY = [pytest.mark.soak, pytest.mark.timeout(3 * 60 * 60)]


@pytest.fixture(scope="module")
def days(real_data):
    return [payloads for _, payloads in feeds.online_retail(real_data)]


@pytest.fixture(scope="module")
def expected(real_data):
    return feeds.online_retail_expected(real_data)


@pytest.fixture(
    scope="module",
    params=[pytest.param(34, id="in 2 slices"), pytest.param(1, id="day by day", marks=DAY_BY_DAY)],
)
def shop(request, shop_at, real_data, days):
    """All days, one delivery each; a run after every so many of them, gold by what changed.

    Recommendations follow with the last one: they weigh every pair of an invoice's up to 675 lines.
    """
    own = ("parameters.shop_currency=GBP", "parameters.zone=Europe/London")
    shop = shop_at("2011-03-01T06:00:00+00:00", *own)
    shop.deliver("exchange_rates", ecb_rates(real_data, date(2010, 11, 1), date(2011, 3, 1)), ending="csv")
    shop.deliver("customers", feeds.online_retail_customers(real_data), ending="csv")
    shop.deliver("products", feeds.online_retail_products(real_data), ending="csv")
    names = list(run.prepare(shop.conf).tables)
    daily = [name for name in names if name != "shop.gold.product_recommendations"]
    for number, payloads in enumerate(days, start=1):
        deliver_lines(shop, payloads)
        if number % request.param == 0:
            with compare.incremental():
                require_passed(shop.run(*(names if number == len(days) else daily)))
    return shop


def lines_with_orders(shop: Lakehouse) -> DataFrame:
    orders = shop.rows("shop.silver.orders", "order_id", "order_date", "shipping_country", "customer_id")
    return shop.rows("shop.silver.order_items").join(orders, on="order_id", how="inner")


def sums(rows: DataFrame, key: str, *amounts: str) -> dict[Any, tuple[Decimal, ...]]:
    found = rows.groupBy(key).agg(*[F.expr(f"sum({amount})") for amount in amounts]).collect()
    return {row[0]: tuple(row[1:]) for row in found}


def net(revenue: Mapping[Any, feeds.Revenue]) -> dict[Any, tuple[Decimal]]:
    return {key: (figures.net,) for key, figures in revenue.items()}


def net_and_gross(revenue: Mapping[Any, feeds.Revenue]) -> dict[Any, tuple[Decimal, Decimal]]:
    return {key: (figures.net, figures.gross) for key, figures in revenue.items()}


def test_gold_followed_what_changed_and_is_what_a_full_refresh_makes(shop):
    names = [name for name in run.prepare(shop.conf).tables if ".gold." in name]
    techniques = {name.split(".")[2]: next(Lake(shop.conf).history(name, 1)).account.technique for name in names}

    assert {techniques[name] for name in ("customer_orders", "order_lines")} == {"affected_keys"}
    assert {techniques[name] for name in ("revenue", "product_sales")} == {"affected_groups"}
    assert compare.differences(shop, names) == {}


def test_every_delivered_order_and_line_is_there(shop):
    stored = [
        shop.rows(f"shop.{table}").count() for table in ("bronze.orders", "silver.orders", "gold.customer_orders")
    ]

    assert stored == [ORDERS] * 3
    assert shop.rows("shop.silver.order_items").count() == LINES
    assert shop.rows("shop.gold.order_lines").count() == LINES


def test_lines_without_a_customer_count(shop, expected):
    guests = lines_with_orders(shop).where("customer_id IS NULL").count()

    assert guests == expected.lines_without_customer == 36_210


def test_identical_lines_of_an_order_are_kept(shop, expected):
    columns = ("order_id", "product_id", "title", "quantity", "unit_price")
    lines = shop.rows("shop.silver.order_items")

    assert lines.count() - lines.select(*columns).distinct().count() == expected.identical_lines == 975


@pytest.mark.parametrize(
    ("column", "figures"),
    [("order_date", "per_day"), ("shipping_country", "per_country"), ("customer_id", "per_customer")],
)
def test_net_and_gross_revenue_are_exact(shop, expected, column, figures):
    revenue = getattr(expected, figures)
    gross = "CASE WHEN quantity > 0 THEN line_amount ELSE 0 END"

    assert sums(shop.rows("shop.gold.customer_orders"), column, "order_total") == net(revenue)
    assert sums(lines_with_orders(shop), column, "line_amount", gross) == net_and_gross(revenue)


def test_revenue_by_its_dimensions_adds_up_to_the_days(shop, expected):
    found = sums(shop.rows("shop.gold.revenue"), "order_date", "revenue", "orders")

    assert {day: revenue for day, (revenue, _) in found.items()} == {d: r.net for d, r in expected.per_day.items()}
    assert sum(orders for _, orders in found.values()) == ORDERS
    assert (min(found), max(found)) == (date(2010, 12, 1), date(2011, 2, 28))


def test_every_record_is_accounted_for(shop, days):
    require_balanced(shop)

    nothing_else = {"duplicates": 0, "unchanged": 0, "superseded": 0, "quarantined": 0, "waiting": 0}
    for name, count in (("bronze.orders", ORDERS), ("silver.orders", ORDERS), ("silver.order_items", LINES)):
        rows = totals(shop, f"shop.{name}")
        assert rows["read"] == count, (name, rows)
        assert {term: rows[term] for term in nothing_else} == nothing_else, (name, rows)
    assert sum(len(payloads) for payloads in days) == ORDERS


# The last one, since it delivers to the shop that the others look at.
def test_a_day_delivered_again_changes_nothing_but_the_count_of_duplicates(shop, days):
    before = shop.versions()
    deliver_lines(shop, days[0])

    report = shop.run()

    require_passed(report)
    after = shop.versions()
    assert {name for name in after if after[name] != before[name]} == {"shop.bronze.orders"}
    newest = next(Lake(shop.conf).history("shop.bronze.orders", 1))
    assert newest.account is not None
    assert newest.account.rows == {"read": len(days[0]), "stored": 0, "duplicates": len(days[0])}
    assert {o.table for o in report.outcomes if o.status != "skipped"} == {"shop.bronze.orders"}
