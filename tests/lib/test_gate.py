"""The gate: readers and gold see the last version that passed, whatever became of the newest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from medallion import commits, gate
from medallion.lake import Lake
from medallion.run import Report
from medallion.step import Outcome

Factory = Callable[..., Any]

CONF = """
description: Orders of customers
sources:
  orders: {format: json, delivers: events, system: shop}
  customers: {format: json, delivers: events, system: crm}
expectations:
  silver.orders:
    - {rule: unique, columns: [ref]}
    - {rule: relationships, column: customer, to: gated.silver.customers, field: id}
    - {rule: relationships, column: replaces, to: gated.silver.orders, field: id}
    - {rule: sql, name: none_is_big}
  gold.totals:
    - {rule: unique, columns: [total]}
"""
IMPORTS = """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Aggregate, Bronze, Lookup, Measure, Silver
"""
CUSTOMERS = """
table = Silver(reads="gated.bronze.customers", key=("id",), sequence=("seq",), deleted="gone",
               columns={"id": ("string", "id"), "seq": ("int", "version")})

@table.transform
def customers(records):
    return records.withColumn("s", F.from_json("payload", "id string, seq int, gone boolean")).select("s.*", *CARRIED)
"""
ORDERS = """
SENT = "id string, seq int, customer string, ref string, amount int, replaces string, gone boolean"
COLUMNS = {name: ("string", name) for name in ("id", "customer", "ref", "replaces")}
table = Silver(reads="gated.bronze.orders", key=("id",), sequence=("seq",), deleted="gone",
               columns={**COLUMNS, "seq": ("int", "version"), "amount": ("int", "amount")})

@table.transform
def orders(records):
    return records.withColumn("s", F.from_json("payload", SENT)).select("s.*", *CARRIED)
"""
TOTALS = """
table = Aggregate(reads="gated.silver.orders", dimensions={"customer": "customer"},
                  measures={"orders": Measure("count"), "total": Measure("sum", "amount")},
                  columns={"customer": ("string", "c"), "orders": ("bigint", "n"), "total": ("bigint", "sum")})
"""
MODULES = {
    **{f"bronze/{s}.py": f"{IMPORTS}table = Bronze(source='{s}')" for s in ("orders", "customers")},
    "silver/customers.py": IMPORTS + CUSTOMERS,
    "silver/orders.py": IMPORTS + ORDERS,
    "gold/totals.py": IMPORTS + TOTALS,
    "silver/checks/orders.none_is_big.sql": "SELECT id, amount FROM gated_silver.orders WHERE amount > 100;\n",
}
ORDERS_NAME, TOTALS_NAME = "gated.silver.orders", "gated.gold.totals"


@dataclass
class Moment:
    """What a run said, and what readers see after it."""

    report: Report
    versions: dict[str, int]
    orders: set[str]
    totals: dict[str, int]

    def outcome(self, name: str) -> Outcome:
        (found,) = [outcome for outcome in self.report.outcomes if outcome.table == name]
        return found


@pytest.fixture(scope="module")
def history(shared_scratch: Factory) -> dict[str, Moment]:
    """Run after run: sound, orphaned, idle, only gold, mended, twice, settled, tombstones, gold twice."""
    lake = shared_scratch("gated", MODULES, CONF)
    moments: dict[str, Moment] = {}

    def run(what: str, *names: str) -> None:
        report = lake.run(*names)
        orders = {row.id for row in lake.rows(ORDERS_NAME, "id").collect()}
        totals = {row.customer: row.total for row in lake.rows(TOTALS_NAME).collect()}
        moments[what] = Moment(report, lake.versions(), orders, totals)

    def order(id: str, customer: str, ref: str, amount: int, **more: Any) -> dict[str, Any]:
        return {"id": id, "seq": 1, "customer": customer, "ref": ref, "amount": amount, **more}

    lake.deliver("customers", {"id": "c1", "seq": 1})
    lake.deliver("orders", order("o1", "c1", "r1", 10, replaces="o1"))
    run("sound")
    lake.deliver("orders", order("o2", "c9", "r2", 20))
    run("orphaned")
    run("idle")
    run("only gold", TOTALS_NAME)
    lake.deliver("customers", {"id": "c9", "seq": 1})
    run("mended")
    lake.deliver("orders", order("o3", "c1", "r1", 500), order("o4", "c1", "r4", 7, replaces="o0"))
    run("twice")
    lake.deliver("orders", order("o3", "c1", "r3", 30, seq=2), order("o4", "c1", "r4", 40, seq=2, replaces="o3"))
    run("settled")
    lake.deliver("customers", {"id": "c9", "seq": 2, "gone": True})
    lake.deliver("orders", order("o3", "c1", "r3", 30, seq=3, gone=True), order("o5", "c9", "r5", 30))
    run("tombstones")
    return moments


def test_rows_that_pass_are_seen_at_once(history: dict[str, Moment]) -> None:
    assert history["sound"].report.passed
    assert (history["sound"].orders, history["sound"].totals) == ({"o1"}, {"c1": 10})


def test_a_version_that_fails_is_committed_but_not_seen(history: dict[str, Moment]) -> None:
    orphaned, failed = history["orphaned"], history["orphaned"].outcome(ORDERS_NAME)

    assert (failed.status, failed.rows["written"]) == ("failed", 1)
    assert failed.error == (
        "gated.silver.orders: version 1 did not pass its gate: relationships(customer): 1 of 2 rows, e.g. c9; "
        "readers keep version 0"
    )
    assert orphaned.versions[ORDERS_NAME] == 1
    assert orphaned.orders == {"o1"}


def test_gold_is_blocked_and_names_what_it_waits_for(history: dict[str, Moment]) -> None:
    blocked, alone = history["orphaned"].outcome(TOTALS_NAME), history["only gold"].outcome(TOTALS_NAME)

    assert (blocked.status, blocked.reason) == ("blocked", f"waits for {ORDERS_NAME}")
    assert (alone.status, alone.error) == (
        "failed",
        "gated.gold.totals: waits for gated.silver.orders: version 1 did not pass its gate, 0 is the last that did; "
        "`medallion run gated --table gated.silver.orders` tells why",
    )
    assert history["only gold"].totals == {"c1": 10}


def test_what_still_fails_fails_again_without_a_new_version(history: dict[str, Moment]) -> None:
    assert history["idle"].outcome(ORDERS_NAME).error == history["orphaned"].outcome(ORDERS_NAME).error
    assert history["idle"].versions == history["orphaned"].versions


def test_once_the_cause_is_gone_all_advance(history: dict[str, Moment]) -> None:
    mended = history["mended"]

    assert mended.report.passed
    assert mended.outcome(ORDERS_NAME).reason == "version 1 was not judged yet"
    assert (mended.orders, mended.totals) == ({"o1", "o2"}, {"c1": 10, "c9": 20})


def test_every_rule_of_a_table_is_judged(history: dict[str, Moment]) -> None:
    outcome = history["twice"].outcome(ORDERS_NAME)

    failing = {check.label: (check.failed, check.total, check.example) for check in outcome.checks if check.stops}
    assert failing == {
        "unique(ref)": (1, 4, "{r1}"),
        "relationships(replaces)": (1, 2, "o0"),
        "none_is_big": (1, 1, '{"id":"o3","amount":500}'),
    }
    assert [check.label for check in outcome.checks if check.passed] == ["relationships(customer)"]
    assert history["twice"].orders == {"o1", "o2"}
    assert history["settled"].totals == {"c1": 80, "c9": 20}


def test_a_reference_to_what_was_deleted_holds(history: dict[str, Moment]) -> None:
    found = history["tombstones"]

    assert found.outcome(ORDERS_NAME).error is None  # o5 refers to c9, and o4 to o3: both are tombstones
    assert found.orders == {"o1", "o2", "o4", "o5"}


def test_a_gold_version_that_fails_is_committed_but_not_seen(history: dict[str, Moment]) -> None:
    """Both customers come to 50 now, which the check on gold, made for this, refuses."""
    outcome = history["tombstones"].outcome(TOTALS_NAME)

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "did not pass its gate: unique(total): 1 of 2 rows, e.g. {50}; readers keep version" in outcome.error
    assert history["tombstones"].versions[TOTALS_NAME] == history["settled"].versions[TOTALS_NAME] + 1
    assert history["tombstones"].totals == history["settled"].totals


SMALL = """
description: Numbers
sources: {numbers: {format: json, delivers: events, system: counter}}
expectations:
  silver.numbers: [{rule: unique, columns: [n]}, {rule: relationships, column: n, to: $p.silver.numbers, field: n}]
"""
NUMBERS = """
table = Silver(reads="$p.bronze.numbers", key=("id",), sequence=("seq",),
               columns={"id": ("string", "id"), "seq": ("int", "version"), "n": ("int", "number")})

@table.transform
def numbers(records):
    return records.withColumn("s", F.from_json("payload", "id string, seq int, n int")).select("s.*", *CARRIED)
"""


def _small(scratch: Factory, pipeline: str) -> Any:
    modules = {
        "bronze/numbers.py": f"{IMPORTS}table = Bronze(source='numbers')",
        "silver/numbers.py": (IMPORTS + NUMBERS).replace("$p", pipeline),
    }
    return scratch(pipeline, modules, SMALL.replace("$p", pipeline))


def _seen(lake: Any) -> dict[str, int]:
    return {row.id: row.n for row in lake.rows(f"{lake.conf.name}.silver.numbers").collect()}


def test_a_version_that_a_killed_run_left_is_judged_first(scratch: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    lake, name = _small(scratch, "killed"), "killed.silver.numbers"
    lake.deliver("numbers", {"id": "a", "seq": 1, "n": 1})
    lake.run()
    lake.deliver("numbers", {"id": "b", "seq": 1, "n": 2})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(gate, "judge_version", killed)
        lake.run()
    unjudged, seen_meanwhile = Lake(lake.conf).state(name), _seen(lake)

    outcome = lake.run().outcomes[-1]

    assert unjudged is not None
    assert (unjudged.data, unjudged.good) == (1, 0)
    assert seen_meanwhile == {"a": 1}
    assert (outcome.status, outcome.reason) == ("done", "version 1 was not judged yet")
    assert _seen(lake) == {"a": 1, "b": 2}


def test_a_row_rule_of_severity_fail_or_beyond_its_tolerance_stops_before_the_commit(scratch: Factory) -> None:
    lake, name = _small(scratch, "stopped"), "stopped.silver.numbers"
    lake.deliver("numbers", {"id": "a", "seq": 1, "n": 1}, {"id": "b", "seq": 1, "n": 2})
    lake.run()
    lake.deliver("numbers", {"id": "c", "seq": 1, "n": -3}, {"id": "d", "seq": 1, "n": 4})

    def outcome(rule: str) -> Outcome:
        return (
            lake.with_overrides(f"expectations.silver.numbers=[{{rule: range, column: n, min: 0, {rule}}}]")
            .run()
            .outcomes[-1]
        )

    stopped = [
        outcome("severity: fail"),
        outcome("severity: fail, tolerance: 0.4"),
        outcome("severity: quarantine, tolerance: 0.1"),
    ]
    version_then, seen_then = lake.versions()[name], _seen(lake)
    warned = outcome("severity: warn")

    assert [found.status for found in stopped] == ["failed"] * 3
    assert [found.error for found in stopped] == [
        "stopped.silver.numbers: stopped before the commit: range(n): 1 of 2 rows, e.g. -3",
        "stopped.silver.numbers: stopped before the commit: range(n): 1 of 2 rows, e.g. -3",
        "stopped.silver.numbers: stopped before the commit: range(n): 1 of 4 rows, e.g. -3",
    ]
    assert (version_then, seen_then) == (0, {"a": 1, "b": 2})
    assert (warned.status, warned.score) == ("done", 50.0)
    assert [(check.passed, check.stops) for check in warned.checks] == [(False, False)]
    assert _seen(lake) == {"a": 1, "b": 2, "c": -3, "d": 4}


HEADS = """
table = Silver(reads="$p.bronze.orders", key=("id",), sequence=("seq",), deleted="gone",
               columns={"id": ("string", "id"), "seq": ("int", "version"), "buyer": ("string", "buyer"),
                        "lines": ("array<int>", "amounts")})

@table.transform
def orders(records):
    sent = "id string, seq int, buyer string, lines array<int>, gone boolean"
    return records.withColumn("s", F.from_json("payload", sent)).select("s.*", *CARRIED)
"""
AMOUNTS = """
table = Silver(reads="$p.bronze.amounts", key=("amount",), sequence=("_delivery",),
               columns={"amount": ("int", "known")})

@table.transform
def amounts(records):
    return records.withColumn("s", F.from_json("payload", "amount int")).select("s.*", *CARRIED)
"""
LINES = """
table = Silver(reads="$p.silver.orders", key=("id", "line"), parent=("id",),
               lookups=(Lookup("$p.silver.amounts", on={"amount": "amount"}),),
               columns={"id": ("string", "id"), "line": ("int", "place"), "amount": ("int", "amount")})

@table.transform
def lines(orders):
    return orders.select("id", *CARRIED, F.posexplode("lines").alias("_ordinal", "amount")).withColumn(
        "line", F.col("_ordinal"))
"""
BY_CHANGE = """
description: Orders and their lines
sources:
  orders: {format: json, delivers: events, system: shop}
  amounts: {format: json, delivers: events, system: shop}
expectations:
  silver.orders:
    - {rule: unique, columns: [id]}
    - {rule: relationships, column: buyer, to: $p.silver.orders, field: id, severity: warn, tolerance: 0.5}
  silver.lines:
    - {rule: unique, columns: [id, line]}
    - {rule: sql, name: none_is_13_in_all, by: [id]}
"""
ADDED_UP = "SELECT id, sum(amount) AS total FROM $p_silver.lines GROUP BY id HAVING total = 13;\n"


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=pytest.mark.once)])
def test_what_comes_is_judged_with_its_commit_where_that_tells_of_the_whole(
    scratch: Factory, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    name = f"bychange{int(large)}"
    if large:
        monkeypatch.setattr(commits, "LARGE_BYTES", 0)
    modules = {
        **{f"bronze/{s}.py": f"{IMPORTS}table = Bronze(source='{s}')" for s in ("orders", "amounts")},
        "silver/amounts.py": IMPORTS + AMOUNTS,
        "silver/orders.py": IMPORTS + HEADS,
        "silver/lines.py": IMPORTS + LINES,
        "silver/checks/lines.none_is_13_in_all.sql": ADDED_UP,
    }
    lake = scratch(
        name, {place: text.replace("$p", name) for place, text in modules.items()}, BY_CHANGE.replace("$p", name)
    )

    def run(*orders: dict[str, Any]) -> tuple[Outcome, Outcome, tuple[int, int]]:
        lake.deliver("orders", *orders)
        found = {
            outcome.table.rpartition(".")[2]: outcome for outcome in lake.run().outcomes if ".silver." in outcome.table
        }
        versions = lake.versions()
        return found["orders"], found["lines"], (versions[f"{name}.silver.orders"], versions[f"{name}.silver.lines"])

    lake.deliver("amounts", *({"amount": amount} for amount in (1, 2, 4, 10, 12)))
    run({"id": "a", "seq": 1, "buyer": "a", "lines": [1, 2]}, {"id": "b", "seq": 1, "buyer": "b", "lines": [10]})
    orders, lines, versions = run(
        {"id": "b", "seq": 2, "buyer": "a", "lines": [10, 1]}, {"id": "c", "seq": 1, "buyer": "b", "lines": [4]}
    )

    assert versions == (1, 1)  # no commit of a verdict
    assert [(check.label, check.failed, check.total) for check in orders.checks] == [
        ("unique(id)", 0, 2),
        ("relationships(buyer)", 0, 2),
    ]
    assert [(check.label, check.failed) for check in lines.checks] == [
        ("none_is_13_in_all", 0),
        ("unique(id, line)", 0),
    ]

    orders, lines, versions = run(
        {"id": "b", "seq": 3, "buyer": "nobody", "lines": [12, 1]}, {"id": "a", "seq": 2, "gone": True}
    )

    unknown = next(check for check in orders.checks if check.label == "relationships(buyer)")
    assert (unknown.failed, unknown.total, unknown.passed) == (1, 2, True)  # of all that there is, as it did not pass
    assert (orders.status, versions[0]) == ("done", 3)
    assert (lines.status, lines.error) == (
        "failed",
        f"{name}.silver.lines: version 2 did not pass its gate: none_is_13_in_all: 1 of 1 rows, "
        'e.g. {"id":"b","total":13}; readers keep version 1',
    )

    lake.deliver("orders", {"id": "b", "seq": 4, "buyer": "a", "lines": [10, 3]})  # 3 is not known yet, and waits
    assert lake.run().passed
    lake.deliver("amounts", {"amount": 3})
    late = lake.run().outcomes[-1]

    assert (late.rows["written"], late.rows["unchanged"]) == (1, 1)
    assert "none_is_13_in_all: 1 of 1 rows" in str(late.error)  # the line that stays as it is counts as well
