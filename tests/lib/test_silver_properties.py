"""Any history in any order, split into any batches, gives the tables that a fold in plain Python gives."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from medallion import chosen, commits, held, query
from medallion.lake import Lake
from tests import figures

CONF = """
description: Orders with lines, whose products may be late
sources:
  orders: {format: json, delivers: events, system: shop, idempotency_key: $.delivery}
  products: {format: csv, delivers: snapshot, system: catalog}
expectations:
  silver.orders: [{rule: range, column: amount, min: 0}]
  silver.items: [{rule: expression, name: quantity_not_zero, expression: quantity <> 0}]
"""
IMPORTS = """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Bronze, Lookup, Silver
"""
MODULES = {
    "bronze/orders.py": "table = Bronze(source='orders')",
    "bronze/products.py": "table = Bronze(source='products')",
    "silver/products.py": """
table = Silver(reads="folded.bronze.products", key=("product",), sequence=("_delivery",),
               columns={"product": ("string", "product")})

@table.transform
def products(records):
    return records.select(F.col("fields")["product"].alias("product"), *CARRIED)
""",
    "silver/orders.py": """
SENT = "id string, seq int, amount int, deleted boolean, lines array<struct<product:string,quantity:int>>"
table = Silver(reads="folded.bronze.orders", key=("id",), sequence=("seq",), deleted="is_deleted",
               columns={"id": ("string", "id"), "seq": ("int", "version"), "amount": ("int", "amount"),
                        "lines": ("array<struct<product:string,quantity:int>>", "lines")})

@table.transform
def orders(records):
    sent = records.select(F.from_json("payload", SENT).alias("sent"), *CARRIED)
    columns = ("sent.id", "sent.seq", "sent.amount", "sent.lines")
    return sent.select(*columns, F.col("sent.deleted").alias("is_deleted"), *CARRIED)
""",
    "silver/items.py": """
table = Silver(reads="folded.silver.orders", key=("id", "line"), parent=("id",),
               lookups=(Lookup("folded.silver.products", on={"product": "product"}),),
               columns={"id": ("string", "order"), "line": ("int", "place"), "product": ("string", "product"),
                        "quantity": ("int", "quantity")})

@table.transform
def items(orders):
    lines = orders.select("id", *CARRIED, F.posexplode("lines").alias("_ordinal", "sent"))
    columns = ("id", F.col("_ordinal").alias("line"), "sent.product", "sent.quantity")
    return lines.select(*columns, *CARRIED, "_ordinal")
""",
}


@dataclass(frozen=True)
class Case:
    """Records by delivery id, the order they come in (some twice), where that is cut, and when p2 arrives."""

    records: Sequence[Mapping[str, Any]]
    arrivals: Sequence[int]
    cut: int
    late_product: bool

    def payload(self, number: int) -> Mapping[str, Any]:
        return {"delivery": f"d{number}", **self.records[number]}


def _order(seq: int, *products: str) -> dict[str, Any]:
    lines = [{"product": product, "quantity": 1} for product in products]
    return {"id": "a", "seq": seq, "amount": 1, "deleted": False, "lines": lines}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw evenly: with ten examples, Hypothesis' own leaning to small ones would leave most of this out."""
    random = draw(st.randoms(use_true_random=True))

    def line() -> dict[str, Any]:
        return {"product": random.choice(["p1", "p1", "p2", "p9"]), "quantity": random.choice([0, 1, 2, 3])}

    def record() -> dict[str, Any]:
        return {
            "id": random.choice(["a", "b", "c", "d", "e", "f", None]),
            "seq": random.choice([1, 2, 2, 3, 4, 5, 6, None]),
            "amount": random.choice([-1, 0, 1, 2, 3, 4]),
            "deleted": random.random() < 0.15,
            "lines": [line() for _ in range(random.randint(0, 3))],
        }

    records = [record() for _ in range(random.randint(10, 24))]
    arrivals = [*range(len(records)), *random.choices(range(len(records)), k=3)]
    random.shuffle(arrivals)
    return Case(records, arrivals, random.randint(1, len(arrivals)), random.random() < 0.4)


Tables = tuple[set[Any], set[Any], set[Any], set[Any]]


def fold(case: Case) -> Tables:
    """Return what should be there: orders, items, and the quarantines of both as (record, ordinal, outcome)."""
    winners: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    rejected: set[Any] = set()
    for number, record in enumerate(case.records):
        record_id = sha256(f"shop\nkey\nd{number}".encode()).hexdigest()
        version = (record["seq"], record_id)
        if None in (record["id"], record["seq"]) or (record["amount"] < 0 and not record["deleted"]):
            rejected.add((record_id, 0, "quarantined"))
        elif record["id"] not in winners or version > winners[record["id"]][0]:
            winners[record["id"]] = (version, record)
    standing = {id: (version, record) for id, (version, record) in winners.items() if not record["deleted"]}
    orders = {(id, version[0], record["amount"]) for id, (version, record) in standing.items()}
    items, held = set(), set()
    for id, (version, record) in standing.items():
        for place, line in enumerate(record["lines"]):
            if line["quantity"] == 0:
                held.add((version[1], place, "quarantined"))
            elif line["product"] == "p9":
                held.add((version[1], place, "waiting"))
            else:
                items.add((id, place, line["product"], line["quantity"]))
    return orders, items, rejected, held


def found(lake: Any) -> Tables:
    """Return what is there, read without Spark."""
    tables = Lake(lake.conf)

    def rows(name: str, sql: str) -> set[Any]:
        if not tables.exists(name):
            return set()
        selected = [tuple(row.values()) for row in query.select(tables.path(name), sql)]
        assert len(selected) == len(set(selected)), name
        return set(selected)

    return (
        rows("folded.silver.orders", "SELECT id, seq, amount FROM t WHERE NOT _deleted"),
        rows("folded.silver.items", "SELECT id, line, product, quantity FROM t WHERE NOT _deleted"),
        rows("folded.quarantine.orders", "SELECT _record_id, _ordinal, outcome FROM t"),
        rows("folded.quarantine.items", "SELECT _record_id, _ordinal, outcome FROM t"),
    )


@pytest.fixture(scope="module")
def fresh_lake(shared_scratch: Callable[..., Any]) -> Callable[[], Any]:
    lake = shared_scratch("folded", {place: IMPORTS + code for place, code in MODULES.items()}, CONF)
    places = (f"{lake.conf.root('ops')}/example{number}" for number in count())

    def make() -> Any:
        place = next(places)
        return lake.with_overrides(
            *[f"storage.{layer}.root={place}/{layer}" for layer in ("landing", "bronze", "silver")]
        )

    return make


@pytest.mark.once
@pytest.mark.slow
# Without shrinking: each example is two or three runs of the engine.
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@example(case=Case((_order(1, "p1", "p9"), _order(2, "p1")), (0, 1), cut=1, late_product=False), large=True, few=False)
@given(case=cases(), large=st.booleans(), few=st.booleans())
def test_any_order_and_any_split_give_what_a_fold_gives(
    fresh_lake: Callable[[], Any], case: Case, large: bool, few: bool
) -> None:
    with (
        patch.object(commits, "LARGE_BYTES", 0 if large else commits.LARGE_BYTES),
        patch.object(held, "FEW", held.FEW if few else -1),
        patch.object(chosen, "FEW", chosen.FEW if few else -1),
    ):
        _holds(fresh_lake, case)


def _holds(fresh_lake: Callable[[], Any], case: Case) -> None:
    lake = fresh_lake()
    payloads = [case.payload(number) for number in case.arrivals]
    first, second, both = payloads[: case.cut], payloads[case.cut :], "p1\np2"
    for batch, products in ((first, "p1"), (second, both)):
        if case.late_product or batch is first:
            lake.deliver("products", f"product\n{products if case.late_product else both}\n", ending="csv")
        if batch:
            lake.deliver("orders", *batch)
        report = lake.run()
        assert [outcome.error for outcome in report.outcomes if outcome.error] == []

    figures.note("arrival orders", tried=1, equal=int(found(lake) == fold(case)))
    assert found(lake) == fold(case), json.dumps(payloads)

    before = lake.versions()
    assert {outcome.status for outcome in lake.run().outcomes} == {"skipped"}
    assert lake.versions() == before
