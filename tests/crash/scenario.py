"""What is killed: a pipeline `depot` with every kind of table and source, and two days of what is sent to it.

Day 2 sends some of day 1 again, corrects, deletes and rejects orders, and brings the product that lines of day 1
wait for. Each payload is sent under an id of its own and is a text of its own, so that a ledger can tell them.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medallion import conf as conf_door
from medallion.conf import Conf

PROJECT = Path(__file__).resolve().parents[2]
NAME = "depot"
LAYERS = ("landing", "bronze", "silver", "gold", "ops")
CONF = """
description: Orders with lines, whose products may be late, and prices that change
sources:
  orders: {format: json, delivers: events, system: shop, intake: {kind: webhook}}
  products: {format: csv, delivers: snapshot, system: catalog, intake: {kind: files, glob: "*.csv", settle_seconds: 0}}
  prices: {format: json, delivers: events, system: shop, idempotency_key: $.sent}
expectations:
  silver.orders:
    - {rule: range, column: amount, min: 0}
    - {rule: unique, columns: [id], tolerance: 0.5}
  silver.items: [{rule: expression, name: quantity_not_zero, expression: quantity <> 0}]
refresh: {gold.sold: incremental, gold.totals: incremental}  # however small they are
cache:
  tables:
    silver.orders: {searched: [id], filters: [amount], order_by: seq}
    gold.totals: {searched: [product], order_by: quantity}
"""
IMPORTS = """
from pyspark.sql import functions as F
from medallion.parse import iso_date
from medallion.tables import CARRIED, Aggregate, Bronze, Lookup, Mart, Measure, Silver
"""
MODULES = {
    **{f"bronze/{name}.py": f"table = Bronze(source='{name}')" for name in ("orders", "products", "prices")},
    "silver/products.py": """
table = Silver(reads="depot.bronze.products", key=("product",), sequence=("_delivery", "_position"),
               columns={"product": ("string", "product"), "name": ("string", "name")})

@table.transform
def products(records):
    return records.select(*[F.col("fields")[c].alias(c) for c in ("product", "name")], *CARRIED)
""",
    "silver/prices.py": """
table = Silver(reads="depot.bronze.prices", key=("product",), sequence=("since",), history="scd2",
               columns={"product": ("string", "product"), "since": ("date", "from"), "price": ("int", "cents")})

@table.transform
def prices(records):
    sent = records.select(F.from_json("payload", "product string, since string, price int").alias("p"), *CARRIED)
    return sent.select("p.product", iso_date(F.col("p.since")).alias("since"), "p.price", *CARRIED)
""",
    "silver/orders.py": """
SENT = "id string, seq int, amount int, deleted boolean, lines array<struct<product:string,quantity:int>>"
table = Silver(reads="depot.bronze.orders", key=("id",), sequence=("seq",), deleted="is_deleted",
               columns={"id": ("string", "id"), "seq": ("int", "version"), "amount": ("int", "amount"),
                        "lines": ("array<struct<product:string,quantity:int>>", "lines")})

@table.transform
def orders(records):
    sent = records.select(F.from_json("payload", SENT).alias("sent"), *CARRIED)
    columns = ("sent.id", "sent.seq", "sent.amount", "sent.lines")
    return sent.select(*columns, F.col("sent.deleted").alias("is_deleted"), *CARRIED)
""",
    "silver/items.py": """
table = Silver(reads="depot.silver.orders", key=("id", "line"), parent=("id",),
               lookups=(Lookup("depot.silver.products", on={"product": "product"}, take={"name": "name"}),),
               columns={"id": ("string", "order"), "line": ("int", "place"), "product": ("string", "product"),
                        "quantity": ("int", "quantity"), "name": ("string", "name")})

@table.transform
def items(orders):
    lines = orders.select("id", *CARRIED, F.posexplode("lines").alias("_ordinal", "sent"))
    columns = ("id", F.col("_ordinal").alias("line"), "sent.product", "sent.quantity")
    return lines.select(*columns, *CARRIED, "_ordinal")
""",
    "gold/sold.py": """
table = Mart(driving="depot.silver.items", key=("id", "line"), lookups={"depot.silver.prices": "product"},
             columns={"id": ("string", "order"), "line": ("int", "place"), "product": ("string", "product"),
                      "quantity": ("int", "quantity"), "cents": ("int", "at today's price")})

@table.transform
def sold(items, prices):
    found = items.join(prices.select("product", "price"), on="product", how="left")
    cents = (F.col("quantity") * F.col("price")).alias("cents")
    return found.select("id", "line", "product", "quantity", cents)
""",
    "gold/totals.py": """
table = Aggregate(reads="depot.gold.sold", dimensions={"product": "product"},
                  measures={"quantity": Measure("sum", "quantity"), "cents": Measure("sum", "cents"),
                            "lines": Measure("count")},
                  columns={"product": ("string", "product"), "quantity": ("bigint", "sum"),
                           "cents": ("bigint", "sum"), "lines": ("bigint", "lines")})
""",
}


@dataclass
class Day:
    """What is sent in a day: posts and price events by id, and extracts by file name, oldest first."""

    posts: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, str] = field(default_factory=dict)
    extracts: Mapping[str, Sequence[str]] = field(default_factory=dict)


def order(sent: str, id: str | None, seq: int, amount: int, lines: str = "", *, deleted: bool = False) -> str:
    """Return an order as posted; ``lines`` are products, one each, ``-p1`` one of quantity 0."""
    told = [{"product": one.lstrip("-"), "quantity": 0 if one[0] == "-" else len(one)} for one in lines.split()]
    return json.dumps({"sent": sent, "id": id, "seq": seq, "amount": amount, "deleted": deleted, "lines": told})


def price(sent: str, product: str, since: str, cents: int) -> str:
    """Return a price as delivered."""
    return json.dumps({"sent": sent, "product": product, "since": since, "price": cents})


def _by_id(*payloads: str) -> dict[str, str]:
    return {json.loads(one)["sent"]: one for one in payloads}


_DAY_1 = _by_id(
    *[order(f"o{n}", f"order-{n}", 1, 10 * n, ("p1 p2", "p3", "p1 -p2")[n % 3]) for n in range(1, 8)],
    order("o8", "order-8", 1, -5, "p1"),  # rejected
    order("o9", None, 1, 5, "p1"),  # without a key
)
DAYS = (
    Day(
        _DAY_1,
        _by_id(price("c1", "p1", "2026-01-01", 100), price("c2", "p2", "2026-01-01", 200)),
        {"products-1.csv": ["p1,Bolt", "p2,Nut"]},
    ),
    Day(
        {
            **{id: _DAY_1[id] for id in ("o1", "o8")},  # sent again
            **_by_id(
                order("o10", "order-2", 2, 25, "p1 p3"),
                order("o11", "order-3", 2, 0, deleted=True),
                order("o12", "order-4", 0, 1, "p2"),  # came late
                order("o13", "order-8", 2, 5, "p2 -p3"),  # the rejected one, corrected
                order("o14", "order-10", 1, -1),
                order("o15", "order-11", 1, 11, "p3 p9"),  # p9 never comes
            ),
        },
        _by_id(
            price("c2", "p2", "2026-01-01", 200),  # sent again
            price("c3", "p1", "2026-02-01", 110),
            price("c4", "p1", "2026-01-15", 105),  # came late
        ),
        {"products-2.csv": ["p1,Bolt", "p2,Nut M8", "p3,Washer"]},
    ),
)


@dataclass(frozen=True)
class Depot:
    """One lake of the project, with the folder that products come in, its caches and the ledger beside it."""

    project: Path
    folder: Path

    @property
    def drop(self) -> Path:
        """Where the catalog puts its extracts."""
        return self.folder / "drop"

    @property
    def ledger(self) -> Path:
        """Where the sender notes what it sent and what was acknowledged; no part of the lakehouse."""
        return self.folder / "ledger.jsonl"

    def conf(self) -> Conf:
        """Return the pipeline's conf on this lake."""
        return conf_door.load(NAME, self.overrides(), self.project)

    def overrides(self) -> list[str]:
        """Return what puts all of it below the folder."""
        return [
            *[f"storage.{layer}.root={self.folder / 'lake' / layer}" for layer in LAYERS],
            f"cache.root={self.folder / 'cache'}",
            f"connections.{NAME}.products.url={self.drop}",
            "spark.warm=false",
            "spark.conf.spark.sql.shuffle.partitions=2",
            "spark.conf.spark.driver.memory=1g",
        ]

    def copy(self, folder: Path) -> "Depot":
        """Return a copy as it is now, times of files included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Depot(self.project, folder)


def write(project: Path) -> None:
    """Write the project: conf and modules."""
    for tier in ("platform", "spark"):
        shutil.copytree(PROJECT / "conf" / tier, project / "conf" / tier, dirs_exist_ok=True)
    texts: dict[str, Any] = {f"jobs/{NAME}/{place}": IMPORTS + text for place, text in MODULES.items()}
    for place, text in {f"conf/pipelines/{NAME}.yaml": CONF, **texts}.items():
        path = project / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def new(project: Path, folder: Path) -> Depot:
    """Return an empty lake."""
    depot = Depot(project, folder)
    depot.drop.mkdir(parents=True)
    return depot
