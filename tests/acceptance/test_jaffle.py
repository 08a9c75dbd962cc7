"""The jaffle year: revenue per day and store equals what its own files add up to."""

from collections.abc import Mapping
from typing import Any

import pytest
from pyspark.sql import functions as F

from tests.acceptance import feeds
from tests.acceptance.accounting import deliver_lines, require_balanced, require_passed, totals

ORDERS, ITEMS = 70_583, 107_805
NO_RATES = b"Date,USD,\n2018-08-31,1.1651,\n"  # all is sold in the shop's own currency


@pytest.fixture(scope="module")
def expected(real_data):
    return feeds.jaffle_expected(real_data)


@pytest.fixture(scope="module")
def shop(shop_at, real_data):
    shop = shop_at("2019-09-01T06:00:00+00:00", "parameters.shop_currency=USD", "parameters.zone=UTC")
    shop.deliver("exchange_rates", NO_RATES, ending="csv")
    shop.deliver("customers", feeds.jaffle_customers(real_data), ending="csv")
    shop.deliver("products", feeds.jaffle_products(real_data), ending="csv")
    for _, payloads in feeds.jaffle(real_data):
        deliver_lines(shop, payloads)
    require_passed(shop.run())
    return shop


def orders_and_revenue(sales: Mapping[Any, feeds.Sales]) -> dict[Any, tuple[Any, ...]]:
    return {key: (figures.orders, figures.revenue) for key, figures in sales.items()}


def test_revenue_per_day_is_exact(shop, expected):
    found = shop.rows("shop.gold.revenue").groupBy("order_date").agg(F.sum("orders"), F.sum("revenue")).collect()

    assert {row[0]: tuple(row[1:]) for row in found} == orders_and_revenue(expected.per_day)


def test_revenue_per_day_and_store_is_exact(shop, expected):
    stores = shop.rows("shop.silver.orders").select("order_id", "shipping_address.city")
    sold = shop.rows("shop.gold.customer_orders").join(stores, on="order_id", how="inner")

    found = sold.groupBy("order_date", "city").agg(F.count("*"), F.sum("order_total")).collect()

    assert {(row[0], row[1]): tuple(row[2:]) for row in found} == orders_and_revenue(expected.per_day_and_store)


def test_lines_add_up_to_their_orders(shop):
    orders = shop.rows("shop.gold.customer_orders")

    assert orders.where("is_mismatch").count() == 0
    assert orders.agg(F.sum("item_count")).first()[0] == ITEMS


def test_every_record_is_accounted_for(shop):
    require_balanced(shop)

    assert totals(shop, "shop.silver.orders")["written"] == shop.rows("shop.silver.orders").count() == ORDERS
    assert totals(shop, "shop.silver.order_items")["written"] == shop.rows("shop.silver.order_items").count() == ITEMS
