"""A small pipeline `yard` with all that an audit looks at, after three runs; and what tests break in copies of it."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from medallion import clock
from medallion.cache import sync as cache_sync
from medallion.conf import Conf
from medallion.landing import Landing
from medallion.receiver import inbox

LAYERS = ("landing", "bronze", "silver", "gold", "ops")
CONF = """
description: Orders of a yard, with lines, products and the history of prices
sources:
  orders: {format: json, delivers: events, system: yard, idempotency_key: $.event, key: $.id, intake: {kind: webhook}}
  products: {format: csv, delivers: snapshot, system: catalog, key: product}
  prices: {format: csv, delivers: events, system: catalog}
expectations:
  silver.orders:
    - {rule: range, column: amount, min: 0}
    - {rule: unique, columns: [id], severity: fail}
cache:
  tables:
    silver.orders: {searched: [id], filters: [product], order_by: seq}
"""
BRONZE = "from medallion.tables import Bronze\ntable = Bronze(source='{source}')\n"
IMPORTS = """
from pyspark.sql import functions as F
from medallion.parse import exact_decimal, problems, unreadable
from medallion.tables import CARRIED, Aggregate, Lookup, Mart, Measure, Silver
"""
ORDERS = """
ORDER = "id string, seq bigint, product string, amount string, deleted boolean, lines array<string>"
table = Silver(
    reads="yard.bronze.orders", key=("id",), sequence=("seq",), deleted="is_deleted",
    lookups=(Lookup("yard.silver.products", on={"product": "product"}, take={"name": "product_name"}),),
    columns={"id": ("string", "id"), "seq": ("bigint", "version"), "product": ("string", "product"),
             "amount": ("decimal(10,2)", "EUR"), "lines": ("array<string>", "lines"),
             "product_name": ("string", "name of the product")},
)

@table.transform
def orders(records):
    amount = exact_decimal(F.col("sent.amount"), 10, 2)
    return records.withColumn("sent", F.from_json("payload", ORDER)).select(
        "sent.id", "sent.seq", "sent.product", amount.alias("amount"), "sent.lines",
        F.col("sent.deleted").alias("is_deleted"), *CARRIED,
        problems(unreadable("amount", F.col("sent.amount"), amount)))
"""
LINES = """
table = Silver(
    reads="yard.silver.orders", key=("id", "line"), parent=("id",),
    columns={"id": ("string", "order"), "line": ("int", "place"), "text": ("string", "what")},
)

@table.transform
def lines(orders):
    found = orders.select("id", *CARRIED, F.posexplode("lines").alias("_ordinal", "text"))
    return found.select("id", (F.col("_ordinal") + 1).alias("line"), "text", *CARRIED, "_ordinal")
"""
PRODUCTS = """
table = Silver(
    reads="yard.bronze.products", key=("product",), sequence=("_delivery", "_position"),
    columns={"product": ("string", "key"), "name": ("string", "name")},
)

@table.transform
def products(records):
    return records.select(F.col("fields")["product"].alias("product"), F.col("fields")["name"].alias("name"), *CARRIED)
"""
PRICES = """
table = Silver(
    reads="yard.bronze.prices", key=("product",), sequence=("since",), history="scd2",
    columns={"product": ("string", "key"), "since": ("date", "from"), "price": ("decimal(10,2)", "EUR")},
)

@table.transform
def prices(records):
    cell = F.col("fields")
    return records.select(cell["product"].alias("product"), F.to_date(cell["since"]).alias("since"),
                          exact_decimal(cell["price"], 10, 2).alias("price"), *CARRIED)
"""
SALES = """
table = Mart(
    driving="yard.silver.orders", key=("id",), lookups={"yard.silver.prices": "product"},
    columns={"id": ("string", "order"), "product_name": ("string", "name"), "amount": ("decimal(10,2)", "EUR"),
             "price": ("decimal(10,2)", "price today")},
)

@table.transform
def sales(orders, prices):
    found = orders.join(prices.select("product", "price"), on="product", how="left")
    return found.select("id", "product_name", "amount", "price")
"""
REVENUE = """
table = Aggregate(
    reads="yard.gold.sales", dimensions={"product_name": "product_name"},
    measures={"orders": Measure("count"), "amount": Measure("sum", "amount")},
    columns={"product_name": ("string", "name"), "orders": ("bigint", "orders"), "amount": ("decimal(20,2)", "EUR")},
)
"""
MODULES = {
    **{f"bronze/{s}.py": BRONZE.format(source=s) for s in ("orders", "products", "prices")},
    "silver/orders.py": IMPORTS + ORDERS,
    "silver/lines.py": IMPORTS + LINES,
    "silver/products.py": IMPORTS + PRODUCTS,
    "silver/prices.py": IMPORTS + PRICES,
    "gold/sales.py": IMPORTS + SALES,
    "gold/revenue.py": IMPORTS + REVENUE,
}


def order(event: int, id: str, seq: int = 1, amount: str = "10.00", **more: Any) -> Mapping[str, Any]:
    """Return an order of product p1 with two lines."""
    return {"event": f"e{event}", "id": id, "seq": seq, "product": "p1", "amount": amount, "lines": ["a", "b"], **more}


def roots(conf: Conf) -> list[str]:
    """Return the overrides that say where a conf's lake is."""
    return [f"storage.{layer}.root={conf.root(layer)}" for layer in LAYERS] + [f"cache.root={conf.platform.cache.root}"]


def make(shared_scratch: Any) -> Any:
    """Return the yard after its days; its cache lies in the lake's folder. Made once a process, and copied."""
    lake, folder = _empty(shared_scratch)
    kept = _kept()
    if kept.exists():
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
    else:
        work(lake)
        shutil.copytree(folder, kept, symlinks=True)
    return lake


def make_anew(shared_scratch: Any) -> Any:
    """The same, worked through by the engine as it is set just now."""
    lake, _ = _empty(shared_scratch)
    work(lake)
    return lake


def _empty(shared_scratch: Any) -> tuple[Any, Path]:
    folder = Path(shared_scratch("yard", MODULES, CONF).conf.root("bronze")).parent
    return shared_scratch("yard", MODULES, CONF, [f"cache.root={folder / 'cache'}"]), folder


@cache
def _kept() -> Path:
    folder = tempfile.mkdtemp(prefix="medallion-yard-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder, "lake")


def work(lake: Any) -> None:
    """Three days of the yard: late, repeated, edited, deleted, waiting and bad rows; a replay; a run without news."""
    days = [_first, _second, _third]
    for day in days:
        day(lake)
        assert lake.run().passed
    assert lake.run(replay=True).passed
    assert lake.run().passed
    assert cache_sync.sync(lake.conf, first_run=False).passed
    with closing(inbox.Inbox(Landing(lake.conf, "orders").folder)) as box:
        box.store([_posted(order(90, "still-waiting"))])


def _first(lake: Any) -> None:
    orders = [order(n, f"o{n}", amount=f"{n}.50") for n in range(1, 9)]
    lake.deliver("orders", *orders[:4], order(11, "negative", amount="-1"), "no JSON")
    lake.deliver("orders", *orders[4:], order(12, "waiting", product="p9"), order(1, "o1", amount="1.50"))
    lake.deliver("products", "product,name\np1,one\np2,two\n", ending="csv")
    lake.deliver("prices", "product,since,price\np1,2026-01-01,1.00\np1,2026-03-01,3.00\n", ending="csv")


def _second(lake: Any) -> None:
    lake.deliver("orders", order(21, "o1", 3, "7.25", lines=["a"]), order(22, "o2", 2, deleted=True))
    lake.deliver("orders", order(1, "o1", amount="1.50"))  # repeated as a whole
    lake.deliver("products", "product,name\np1,one\np2,zwei\np9,nine\n", ending="csv")
    lake.deliver("prices", "product,since,price\np1,2026-02-01,2.00\np2,2026-02-01,4.00\n", ending="csv")
    with closing(inbox.Inbox(Landing(lake.conf, "orders").folder)) as box:
        box.store([_posted(order(31, "posted")), _posted(order(32, "posted-too", product="p2"))])
    inbox.gather(Landing(lake.conf, "orders"))


def _third(lake: Any) -> None:
    lake.deliver("orders", order(23, "o1", 2, "5.00"))  # late: between two versions that are there
    lake.deliver("products", "product,name\np1,one\np2,zwei\np9,nine\n", ending="csv")  # nothing new


def _posted(sent: Mapping[str, Any]) -> inbox.Payload:
    received_at = clock.now().isoformat(timespec="microseconds")
    return inbox.Payload(str(sent["event"]), received_at, json.dumps(sent).encode())
