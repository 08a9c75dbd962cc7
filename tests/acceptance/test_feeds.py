"""The converters of real data: nothing is lost or added on the way to payloads, and the sums are known."""

import csv
import io
import json
import os
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import feeds

FOLDER = Path(os.environ.get("MEDALLION_REAL_DATA", ""))

pytestmark = pytest.mark.skipif(
    not os.environ.get("MEDALLION_REAL_DATA"), reason="MEDALLION_REAL_DATA names no folder of real data"
)

Orders = dict[date, list[dict[str, Any]]]


def read(days: feeds.Days) -> Orders:
    return {day: [json.loads(payload) for payload in payloads] for day, payloads in days}


@pytest.fixture(scope="module")
def invoices() -> Orders:
    return read(feeds.online_retail(FOLDER))


@pytest.fixture(scope="module")
def jaffles() -> Orders:
    return read(feeds.jaffle(FOLDER))


def all_of(orders: Orders) -> list[dict[str, Any]]:
    return [order for day in orders.values() for order in day]


def column(extract: bytes, place: int) -> list[str]:
    _, *rows = csv.reader(io.StringIO(extract.decode()))
    return [row[place] for row in rows]


def test_online_retail_keeps_every_invoice_and_line(invoices):
    orders = all_of(invoices)

    assert len(invoices) == 68
    assert len(orders) == len({order["id"] for order in orders}) == 4_894
    assert len({order["delivery_id"] for order in orders}) == 4_894
    assert sum(len(order["line_items"]) for order in orders) == 105_335
    assert sum(len(order["line_items"]) for order in orders if order["customer"] is None) == 36_210


def test_online_retail_cancellations_are_refunded_orders_of_negative_quantities(invoices):
    cancelled = [order for order in all_of(invoices) if order["id"].startswith("C")]

    assert len(cancelled) == 805
    assert {order["status"] for order in cancelled} == {"refunded"}
    assert all(line["quantity"] < 0 for order in cancelled for line in order["line_items"])


def test_online_retail_orders_look_like_the_files(invoices):
    first = invoices[date(2010, 12, 1)][0]

    assert (first["id"], first["created_at"]) == ("536365", "2010-12-01T08:26:00+00:00")
    assert first["customer"] == {"id": "17850", "email": None}
    assert first["shipping_address"]["country_code"] == "GB"
    assert first["line_items"][0] == {
        "product_id": "85123A",
        "title": "WHITE HANGING HEART T-LIGHT HOLDER",
        "quantity": 6,
        "price": "2.55",
        "total_discount": "0.00",
    }
    assert first["total_price"] == "139.12"


def test_online_retail_orders_are_dated_the_day_of_their_file(invoices):
    for day, orders in invoices.items():
        assert {datetime.fromisoformat(order["created_at"]).date() for order in orders} == {day}


def test_online_retail_expected_counts_are_the_known_ones():
    expected = feeds.online_retail_expected(FOLDER)

    assert (expected.lines, expected.lines_without_customer) == (105_335, 36_210)
    assert (expected.invoices, expected.cancellations) == (4_894, 805)
    assert (len(expected.per_day), len(expected.per_country)) == (68, 31)
    assert None not in expected.per_country


def test_online_retail_expected_sums_agree_with_each_other_and_with_the_payloads(invoices):
    expected = feeds.online_retail_expected(FOLDER)
    net = sum(Decimal(order["total_price"]) for order in all_of(invoices))

    for revenues in (expected.per_day, expected.per_country, expected.per_customer):
        assert sum(revenue.net for revenue in revenues.values()) == net
        assert sum(revenue.gross for revenue in revenues.values()) > net


def test_online_retail_identical_lines_are_kept(invoices):
    repeated = 0
    for order in all_of(invoices):
        lines = Counter(tuple(line.values()) for line in order["line_items"])
        repeated += lines.total() - len(lines)

    assert repeated == feeds.online_retail_expected(FOLDER).identical_lines > 0


def test_online_retail_extracts_hold_all_that_orders_refer_to(invoices):
    orders = all_of(invoices)
    customers = column(feeds.online_retail_customers(FOLDER), 0)
    products = column(feeds.online_retail_products(FOLDER), 0)

    assert len(customers) == len(set(customers))
    assert set(customers) == {order["customer"]["id"] for order in orders if order["customer"]}
    assert len(products) == len(set(products))
    assert set(products) == {line["product_id"] for order in orders for line in order["line_items"]}
    assert all(column(feeds.online_retail_products(FOLDER), 1))


def test_jaffle_keeps_every_order_and_item(jaffles):
    orders = all_of(jaffles)

    assert len(orders) == len({order["id"] for order in orders}) == 70_583
    assert sum(len(order["line_items"]) for order in orders) == 107_805
    assert {order["shipping_address"]["country_code"] for order in orders} == {"US"}


def test_jaffle_payloads_agree_with_the_expected_sums(jaffles):
    expected = feeds.jaffle_expected(FOLDER)

    found: dict[tuple[date, str], feeds.Sales] = {}
    for day, orders in jaffles.items():
        for order in orders:
            sales = found.setdefault((day, order["shipping_address"]["city"]), feeds.Sales())
            sales.orders += 1
            sales.revenue += sum(Decimal(line["price"]) for line in order["line_items"])
    assert found == expected.per_day_and_store
    assert (expected.orders, expected.items) == (70_583, 107_805)
    assert sum(sales.revenue for sales in expected.per_day.values()) == sum(s.revenue for s in found.values())


def test_jaffle_times_are_those_of_the_zone_asked_for():
    _, payloads = next(feeds.jaffle(FOLDER, zone="America/New_York"))
    assert json.loads(payloads[0])["created_at"] == "2018-09-01T13:27:00-04:00"


def test_jaffle_extracts_hold_all_that_orders_refer_to(jaffles):
    orders = all_of(jaffles)

    assert {order["customer"]["id"] for order in orders} <= set(column(feeds.jaffle_customers(FOLDER), 0))
    assert {line["product_id"] for order in orders for line in order["line_items"]} <= set(
        column(feeds.jaffle_products(FOLDER), 0)
    )
    assert column(feeds.jaffle_products(FOLDER), 3)[0] == "11.00"


def test_examples_of_shopify_and_stripe_are_all_there():
    assert len(feeds.shopify(FOLDER)) == len(list((FOLDER / "shopify").glob("*.json"))) > 50
    assert len(feeds.stripe(FOLDER)) == 176
    assert all(json.loads(payload) is not None for payload in feeds.shopify(FOLDER) + feeds.stripe(FOLDER))


def test_shuffled_splits_without_loss_and_by_seed():
    payloads = [b"%d" % number for number in range(103)]

    slices = feeds.shuffled(payloads, 8, seed=1)
    assert sorted(payload for part in slices for payload in part) == sorted(payloads)
    assert {len(part) for part in slices} == {12, 13}
    assert feeds.shuffled(payloads, 8, seed=1) == slices != feeds.shuffled(payloads, 8, seed=2)
