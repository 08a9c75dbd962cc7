"""Example payloads of Shopify and Stripe: each lands, and ends in silver or in quarantine with a reason that fits."""

import json
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from medallion import quarantine, run
from medallion.tables import Silver
from tests.acceptance import feeds
from tests.acceptance.accounting import ecb_rates, require_balanced, require_passed, totals

TABLES = [
    f"shop.{layer}.{name}" for layer in ("bronze", "silver") for name in ("exchange_rates", "customers", "orders")
]
# What a payload that is no order of ours can be refused for.
REASONS = {
    "readable",
    "not_null(order_id)",
    "not_null(created_at)",
    "not_null(updated_at)",
    "not_null(status)",
    "not_null(currency)",
    "not_null(total_amount)",
    "not_null(amount_shop)",
    "accepted_values(status)",
    "regex(currency)",
}


@pytest.fixture(scope="module")
def payloads(real_data):
    """All examples; and the draft order once more without its envelope, as a webhook would send it."""
    examples = [*feeds.shopify(real_data), *feeds.stripe(real_data)]
    draft = json.loads((real_data / "shopify" / "draft_order_completed.json").read_bytes())["draft_order"]
    return [*examples, json.dumps(draft).encode()]


@pytest.fixture(scope="module")
def shop(shop_at, real_data, payloads):
    shop = shop_at("2026-03-01T06:00:00+00:00")
    shop.deliver("exchange_rates", ecb_rates(real_data, date(2017, 1, 1), date(2017, 3, 1)), ending="csv")
    shop.deliver("customers", feeds.jaffle_customers(real_data), ending="csv")  # orders refer to some customers
    shop.deliver("orders", *payloads)
    require_passed(shop.run(*TABLES))
    return shop


@pytest.fixture(scope="module")
def refused(shop):
    running = run.prepare(shop.conf)
    table = running.tables["shop.silver.orders"]
    assert isinstance(table, Silver)
    entries = quarantine.entries(running, shop.sessions.start(), table)
    assert entries is not None
    return entries.collect()


def test_every_payload_is_accounted_for(shop, payloads, refused):
    require_balanced(shop)
    landed, curated = totals(shop, "shop.bronze.orders"), totals(shop, "shop.silver.orders")
    stored = shop.stored("shop.silver.orders")

    assert landed["read"] == len(payloads)
    assert landed["duplicates"] == 0  # equal examples of one delivery, without a delivery id, are records of their own
    assert curated["read"] == landed["stored"] == curated["written"] + curated["superseded"] + len(refused)
    assert stored.where("NOT _deleted").count() == 1
    assert stored.where("_deleted").count() == curated["written"] - 1  # `deleted: true` with an id, as Stripe says it


def test_each_refusal_names_a_reason_that_fits(refused):
    told = Counter(reason["rule"] for entry in refused for reason in entry["reasons"])

    assert all(entry["outcome"] == "quarantined" and entry["reasons"] and entry["payload"] for entry in refused)
    assert set(told) <= REASONS, told
    assert told["not_null(order_id)"] > 50  # Shopify wraps its answers in an envelope, so that no id is found
    assert told["not_null(created_at)"] > 50  # Stripe has its own fields


def test_an_order_as_a_webhook_sends_it_reaches_silver(shop, real_data):
    found = shop.rows("shop.silver.orders", "order_id", "status", "currency", "total_amount", "amount_shop").collect()
    header, *days = ecb_rates(real_data, date(2017, 2, 2), date(2017, 2, 2)).decode().splitlines()
    rate = Decimal(dict(zip(header.split(","), days[0].split(","), strict=True))["CAD"])

    assert [tuple(row) for row in found] == [
        ("517119332", "fulfilled", "CAD", Decimal("1027.41"), round(Decimal("1027.41") / rate, 2))
    ]
