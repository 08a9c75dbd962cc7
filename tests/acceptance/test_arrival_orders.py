"""The order in which input arrives, and how it is split into batches, leaves no trace in silver and gold.

Real invoices and the dirty sample shop together. Extracts keep their sequence, which is their delivery order,
but fall between other orders each time. Left out are the payloads that reuse a delivery id for other bytes:
the first to arrive is taken and the others are refused, so there arrival decides by nature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.shop.sample import deliveries
from jobs.shop.sample.events import payloads
from jobs.shop.sample.shop import Shop
from medallion import run
from medallion.tables import layer_of
from tests import figures
from tests.acceptance import feeds
from tests.acceptance.accounting import deliver_lines, ecb_rates, require_balanced, require_passed
from tests.conftest import Lakehouse

SEED = 7
SAMPLE_DAYS = 3
EXTRACTS = ("customers", "products", "exchange_rates")
Content = dict[str, tuple[Any, ...]]
Slices = Sequence[Sequence[bytes]]


@dataclass(frozen=True)
class Input:
    """Extracts in their sequence, and order payloads as they first arrived."""

    extracts: list[tuple[str, bytes]]
    orders: list[bytes]


def read_input(folder: Path, *, days: int, most_lines: int, sample_orders: int) -> Input:
    """Return so many days of Online Retail, without the longest invoices, and then the sample shop's first days."""
    december = ecb_rates(folder, date(2010, 11, 1), date(2011, 3, 1))
    real = (feeds.online_retail_customers(folder), feeds.online_retail_products(folder), december)
    invoices = [
        invoice
        for _, day in islice(feeds.online_retail(folder), days)
        for invoice in day
        if invoice.count(b'"product_id"') <= most_lines
    ]
    shop = Shop(sample_orders, SEED)
    dirty = [payload for day in range(SAMPLE_DAYS) for kind, payload in payloads(shop, day) if kind != "conflict"]
    extracts = [
        (delivery.source, delivery.files[0][1])
        for day in range(SAMPLE_DAYS)
        for delivery in deliveries(day, orders=sample_orders, seed=SEED)
        if delivery.source in EXTRACTS
    ]
    return Input([*zip(EXTRACTS, real, strict=True), *extracts], [*invoices, *dirty])


def in_order(orders: Sequence[bytes], slices: int) -> list[Sequence[bytes]]:
    bounds = [len(orders) * number // slices for number in range(slices + 1)]
    return [orders[start:end] for start, end in pairwise(bounds)]


def taken_in(shop: Lakehouse, given: Input, slices: Slices) -> Content:
    """Take in the slices one run each, the extracts spread over them in their sequence, and return what came of it.

    Gold, which is refreshed in full, follows with the last slice.
    """
    last = len(slices) - 1
    names = list(run.prepare(shop.conf).tables)
    for number, orders in enumerate(slices):
        due_extracts = [at for at in range(len(given.extracts)) if min(at // 3 * 2, last) == number]
        for source, content in [given.extracts[at] for at in due_extracts]:
            shop.deliver(source, content, ending="csv")
        deliver_lines(shop, orders)
        due = names if number == last else [name for name in names if layer_of(name) != "gold"]
        require_passed(shop.run(*due))
    require_balanced(shop)
    return content_of(shop)


def content_of(shop: Lakehouse) -> Content:
    """Return count, sum and xor of a hash over the public columns of each silver and gold table: blind to order."""
    names = [name for name in shop.versions() if layer_of(name) in ("silver", "gold")]
    counted = reduce(DataFrame.unionAll, [_hashed(name, shop.rows(name)) for name in names])
    return {row[0]: tuple(row[1:]) for row in counted.collect()}


def _hashed(name: str, rows: DataFrame) -> DataFrame:
    row_hash = rows.select(F.xxhash64(*rows.columns).cast("decimal(38,0)").alias("row_hash"))
    either = F.bit_xor(F.col("row_hash").cast("bigint"))
    return row_hash.agg(F.lit(name), F.count("*"), F.sum("row_hash"), either)


@pytest.fixture(scope="module")
def given(real_data):
    return read_input(real_data, days=3, most_lines=15, sample_orders=150)


@pytest.fixture(scope="module")
def at_once(shop_at, given):
    return taken_in(shop_at("2026-03-01T06:00:00+00:00"), given, [given.orders])


def test_the_input_leaves_no_table_empty(at_once):
    assert len(at_once) == 15
    assert all(count > 0 for count, *_ in at_once.values())


@pytest.mark.soak
def test_eight_slices_give_the_same_tables(shop_at, given, at_once):
    found = taken_in(shop_at("2026-03-01T06:00:00+00:00"), given, in_order(given.orders, 8))

    figures.note("arrival orders", tried=1, equal=int(found == at_once))
    assert found == at_once


@pytest.mark.parametrize(("seed", "slices"), [(1, 3), pytest.param(2, 2, marks=pytest.mark.soak)])
def test_orders_shuffled_give_the_same_tables(shop_at, given, at_once, seed, slices):
    shuffled = feeds.shuffled(given.orders, slices, seed)

    found = taken_in(shop_at("2026-03-01T06:00:00+00:00"), given, shuffled)

    figures.note("arrival orders", tried=1, equal=int(found == at_once))
    assert found == at_once


@pytest.mark.soak
@pytest.mark.timeout(3 * 60 * 60)
def test_any_order_of_all_days_gives_the_same_tables(shop_at, real_data):
    given = read_input(real_data, days=68, most_lines=1000, sample_orders=3000)
    at_once = taken_in(shop_at("2026-03-01T06:00:00+00:00"), given, [given.orders])

    for seed, slices in enumerate((1, 3, 8, 16), start=1):
        shuffled = feeds.shuffled(given.orders, slices, seed)
        assert taken_in(shop_at("2026-03-01T06:00:00+00:00"), given, shuffled) == at_once, (seed, slices)
