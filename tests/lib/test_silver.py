"""Silver: what arrives late, twice, broken or before what it needs leads to the same table.

One lake takes in four days; each test looks at what became of the rows that were made for it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from medallion import outcomes, planner, query
from medallion.lake import Lake
from medallion.run import Report
from medallion.step import Outcome

Factory = Callable[..., Any]
Row = dict[str, Any]

CONF = """
description: Orders with lines, rates and products
sources:
  orders: {format: json, delivers: events, system: shop}
  tills: {format: json, delivers: events, system: till}
  rates: {format: csv, delivers: snapshot, system: bank}
  products: {format: csv, delivers: snapshot, system: catalog}
  customers: {format: csv, delivers: snapshot, system: crm}
expectations:
  silver.orders:
    - {rule: range, column: amount, min: 0}
    - {rule: not_null, column: rate}
    - {rule: range, column: converted, max: 1000}
    - {rule: not_null, column: day, severity: warn}
  silver.items:
    - {rule: expression, name: quantity_not_zero, expression: quantity <> 0}
"""
BRONZE = "from medallion.tables import Bronze\ntable = Bronze(source='{source}')\n"
IMPORTS = """
from pyspark.sql import functions as F
from medallion.parse import exact_decimal, iso_date, problems, unreadable
from medallion.tables import CARRIED, Lookup, Silver
"""
ORDERS = '''
ORDER = """id string, seq bigint, day string, currency string, amount string, deleted boolean,
    lines array<struct<product:string,quantity:int>>"""

table = Silver(
    reads="curated.bronze.orders", key=("id",), sequence=("seq",), deleted="is_deleted",
    lookups=(Lookup("curated.silver.rates", on={"_lookup_currency": "currency"},
                    take={"rate": "rate", "day": "rate_day"}, as_of=("day", "day")),),
    columns={
        "id": ("string", "id"), "seq": ("bigint", "version"), "day": ("date", "day"),
        "currency": ("string", "currency"), "amount": ("decimal(10,2)", "amount"),
        "rate": ("decimal(10,4)", "rate"), "rate_day": ("date", "day of the rate"),
        "converted": ("decimal(12,2)", "amount in EUR"),
        "lines": ("array<struct<product:string,quantity:int>>", "lines"),
    },
)


@table.transform
def orders(records):
    amount, day = exact_decimal(F.col("sent.amount"), 10, 2), iso_date(F.col("sent.day"))
    return records.withColumn("sent", F.from_json("payload", ORDER)).select(
        "sent.id", "sent.seq", day.alias("day"), "sent.currency", amount.alias("amount"), "sent.lines",
        F.col("sent.deleted").alias("is_deleted"),
        F.nullif(F.col("sent.currency"), F.lit("EUR")).alias("_lookup_currency"),
        *CARRIED,
        problems(unreadable("amount", F.col("sent.amount"), amount)),
    )


@table.enrich
def convert(rows):
    is_own = F.col("currency") == "EUR"
    rate = F.when(is_own, F.lit(1).cast("decimal(10,4)")).otherwise(F.col("rate"))
    return rows.withColumns({"rate": rate, "converted": F.round(F.col("amount") * rate, 2).cast("decimal(12,2)")})
'''
ITEMS = """
table = Silver(
    reads="curated.silver.orders", key=("id", "line"), parent=("id",),
    lookups=(Lookup("curated.silver.products", on={"product": "product"}),),
    columns={"id": ("string", "order"), "line": ("int", "place"), "product": ("string", "product"),
             "quantity": ("int", "quantity")},
)


@table.transform
def items(orders):
    lines = orders.select("id", *CARRIED, F.posexplode("lines").alias("_ordinal", "sent"))
    line = (F.col("_ordinal") + 1).alias("line")
    return lines.select("id", line, "sent.product", "sent.quantity", *CARRIED, "_ordinal")
"""
RATES = """
table = Silver(
    reads="curated.bronze.rates", key=("currency", "day"), sequence=("_delivery", "_position"),
    columns={"currency": ("string", "c"), "day": ("date", "d"), "rate": ("decimal(10,4)", "r")},
)


@table.transform
def rates(records):
    cells = [F.col("fields")[name] for name in ("currency", "day", "rate")]
    return records.select(cells[0].alias("currency"), iso_date(cells[1]).alias("day"),
                          exact_decimal(cells[2], 10, 4).alias("rate"), *CARRIED)
"""
EXTRACT = """
table = Silver(
    reads="curated.bronze.{source}", key=("{key}",), sequence=("_delivery", "_position"),
    columns={{"{key}": ("string", "key"), "name": ("string", "name")}},
)


@table.transform
def rows(records):
    return records.select(F.col("fields")["{key}"].alias("{key}"), F.col("fields")["name"].alias("name"), *CARRIED)
"""
TILLS = """
table = Silver(
    reads="curated.bronze.tills", key=("receipt",),
    columns={"receipt": ("string", "the record itself: equal lines are sales of their own"), "x": ("int", "x")},
)


@table.transform
def tills(records):
    x = F.from_json("payload", "x int")["x"].alias("x")
    return records.select(F.col("_record_id").alias("receipt"), x, *CARRIED)
"""
MODULES = {
    **{f"bronze/{s}.py": BRONZE.format(source=s) for s in ("orders", "tills", "rates", "products", "customers")},
    "silver/orders.py": IMPORTS + ORDERS,
    "silver/items.py": IMPORTS + ITEMS,
    "silver/rates.py": IMPORTS + RATES,
    "silver/products.py": IMPORTS + EXTRACT.format(source="products", key="product"),
    "silver/customers.py": IMPORTS + EXTRACT.format(source="customers", key="customer"),
    "silver/tills.py": IMPORTS + TILLS,
}
SILVER = [f"curated.silver.{name}" for name in ("orders", "items", "rates", "products", "customers", "tills")]
THURSDAY, FRIDAY, SATURDAY = "2026-01-01", "2026-01-02", "2026-01-03"


def order(id: str | None, seq: int | None, amount: str | None = "1", **more: Any) -> Mapping[str, Any]:
    """Return an order in the own currency, of Saturday, without lines; ``lines`` as a text: ``p1 p1*2``."""
    lines = [line.split("*") for line in more.pop("lines", "").split()]
    sent = [{"product": line[0], "quantity": int((*line, "1")[1])} for line in lines]
    return {"id": id, "seq": seq, "day": SATURDAY, "currency": "EUR", "amount": amount, "lines": sent, **more}


@dataclass
class Day:
    """What a run did and left: public rows by table and key, tombstones, entries of quarantines."""

    report: Report
    rows: dict[str, list[Row]] = field(default_factory=dict)
    tombstones: dict[str, list[Row]] = field(default_factory=dict)
    rejected: dict[str, list[Row]] = field(default_factory=dict)

    def order(self, id: str) -> Row:
        (row,) = [row for row in self.rows["orders"] if row["id"] == id]
        return row

    def amount(self, id: str) -> Decimal:
        return Decimal(self.order(id)["amount"])

    def ids(self, table: str = "orders") -> list[str]:
        return sorted(row["id"] for row in self.rows[table])

    def items(self, id: str) -> list[tuple[int, str, int]]:
        return sorted((r["line"], r["product"], r["quantity"]) for r in self.rows["items"] if r["id"] == id)

    def held(self, table: str, outcome: str) -> list[str | None]:
        """Return the keys of rows in quarantine, of those with an outcome."""
        found = [json.loads(row["row"]) for row in self.rejected[table] if row["outcome"] == outcome]
        return sorted((row.get("id") for row in found), key=str)

    def outcome(self, table: str) -> Outcome:
        (found,) = [one for one in self.report.outcomes if one.table == f"curated.silver.{table}"]
        return found


def look(lake: Any, report: Report) -> Day:
    """Read all silver tables without Spark, so that what the engine reads with is not what it is judged by."""
    assert [outcome.error for outcome in report.outcomes if outcome.error] == []
    day, tables = Day(report), Lake(lake.conf)
    for name in SILVER:
        short, state = name.split(".")[-1], tables.state(name)
        assert state is not None
        stored = query.select(state.path, "SELECT * FROM t", state.good)
        day.rows[short] = [row for row in stored if not row["_deleted"]]
        day.tombstones[short] = [row for row in stored if row["_deleted"]]
        quarantine = f"curated.quarantine.{short}"
        day.rejected[short] = (
            query.select(tables.path(quarantine), "SELECT * FROM t") if tables.exists(quarantine) else []
        )
    return day


@dataclass
class History:
    """Four days and an idle run."""

    lake: Any
    days: list[Day]
    idle: Report
    versions: tuple[dict[str, int], dict[str, int]]  # before and after the idle run


@pytest.fixture(scope="module")
def history(shared_scratch: Factory) -> History:
    """Deliver four days, a run each, and run once more."""
    lake = shared_scratch("curated", MODULES, CONF)
    days = []

    def day(orders: list[Any], **extracts: str) -> None:
        for number in range(0, len(orders), 3):
            lake.deliver("orders", *orders[number : number + 3])
        for source, rows in extracts.items():
            header = {"rates": "currency,day,rate", "products": "product,name", "customers": "customer,name"}[source]
            lake.deliver(source, "\n".join([header, *rows.split()]), ending="csv")
        days.append(look(lake, lake.run()))

    usd, chf = f"USD,{THURSDAY},2", f"CHF,{THURSDAY},100"
    lake.deliver("tills", '{"x": 1}\n{"x": 1}\n{"x": 2}\n', ending="jsonl")
    day(
        [
            order("late", 1, "1"),
            order("edited", 1, lines="p1*1 p2*2 p1*1"),
            order("dead", 2, None, deleted=True),
            order("gone", 1, lines="p1"),
            order("saturday", 1, "10", currency="USD"),
            order("waiting", 1, "10", currency="GBP"),
            order("overtaken", 1, "10", currency="GBP"),
            order("capped", 1, "20", currency="CHF"),
            order("displaced", 1, "30", currency="SEK"),
            order("displaced", 0, "29"),
            order("negative", 1, "-1"),
            order("unreadable", 1, "1.001"),
            order(None, 1, "7"),
            order("nowhere", None, "7"),
            "no JSON",
            order("tied", 1, "1"),
            order("tied", 1, "2"),
            order("tied_too", 1, "2"),
            order("lines", 1, lines="p1*1 p9*1 p1*0"),
            order("lines_fixed", 1, lines="p9*1 p1*0 p1*3"),
            order("valid_first", 1, "5"),
        ],
        rates=f"{usd} {chf} SEK,{THURSDAY},10",
        products="p1,one p2,two",
        customers="1,A 2,C",
    )
    lake.deliver("tills", '{"x": 1}\n{"x": 1}\n{"x": 2}\n', ending="jsonl")
    day(
        [
            order("late", 3, "3"),
            order("edited", 3, lines="p1*1 p2*5"),
            order("dead", 1, "1"),
            order("gone", 2, None, deleted=True),
            order("overtaken", 2, "2"),
            order("negative", 2, "4"),
            order("tied_too", 1, "1"),
            order("lines_fixed", 2, lines="p1*3"),
            order("valid_first", 2, "-5"),
            order(None, 1, "8"),
        ],
        rates=f"{usd} USD,{FRIDAY},3 CHF,{THURSDAY},1 SEK,{THURSDAY},10 GBP,{THURSDAY},1.5",
        products="p1,one p2,two p9,nine",
        customers="1,B 2,C",
    )
    day(
        [order("late", 2, "2"), order("edited", 2, lines="p1*1 p2*2 p1*1 p2*9"), order("gone", 1, lines="p1")],
        rates=f"{usd} USD,{FRIDAY},4 CHF,{THURSDAY},1 SEK,{THURSDAY},10 GBP,{THURSDAY},1.5",
        customers="1,A 2,C",
    )
    day([], rates=f"{usd} USD,{FRIDAY},4 CHF,{THURSDAY},1 SEK,{THURSDAY},99 GBP,{THURSDAY},1.5")
    before = lake.versions()
    return History(lake, days, lake.run(), (before, lake.versions()))


def test_a_late_middle_version_changes_nothing(history: History) -> None:
    assert [day.amount("late") for day in history.days] == [1, 3, 3, 3]


def test_children_follow_the_winning_version_of_their_parent(history: History) -> None:
    assert history.days[0].items("edited") == [(1, "p1", 1), (2, "p2", 2), (3, "p1", 1)]
    assert history.days[1].items("edited") == [(1, "p1", 1), (2, "p2", 5)]  # the edited order lost a line
    assert history.days[2].items("edited") == [(1, "p1", 1), (2, "p2", 5)]  # the old payload came after it
    assert [row["line"] for row in history.days[1].tombstones["items"] if row["id"] == "edited"] == [3]


def test_what_was_deleted_stays_so_and_is_hidden_but_stored(history: History) -> None:
    for day in history.days:
        assert "dead" not in day.ids()
        assert "dead" in [row["id"] for row in day.tombstones["orders"]]
    assert [day.ids().count("gone") for day in history.days] == [1, 0, 0, 0]
    assert [len(day.items("gone")) for day in history.days] == [1, 0, 0, 0]


def test_the_lakes_readers_do_not_see_tombstones(history: History) -> None:
    rows = history.lake.rows("curated.silver.orders").select("id").collect()

    assert sorted(row.id for row in rows) == history.days[-1].ids()


def test_an_extract_that_goes_back_to_a_ends_at_a(history: History) -> None:
    names = [{row["customer"]: row["name"] for row in day.rows["customers"]} for day in history.days]

    assert names == [{"1": "A", "2": "C"}, {"1": "B", "2": "C"}, {"1": "A", "2": "C"}, {"1": "A", "2": "C"}]


def test_equal_lines_of_a_file_are_rows_where_the_table_says_so(history: History) -> None:
    for day in history.days:
        assert sorted(row["x"] for row in day.rows["tills"]) == [1, 1, 2]


def test_a_rate_that_arrives_late_or_changes_converts_anew(history: History) -> None:
    converted = [(day.order("saturday")["rate_day"], day.order("saturday")["converted"]) for day in history.days]

    thursday, friday = date.fromisoformat(THURSDAY), date.fromisoformat(FRIDAY)
    assert converted == [(thursday, 20), (friday, 30), (friday, 40), (friday, 40)]


def test_a_row_that_waits_for_a_lookup_is_taken_up_by_itself(history: History) -> None:
    first, second = history.days[:2]

    assert first.held("orders", "waiting") == ["overtaken", "waiting"]
    waits_for = {row["waits_for"] for row in first.rejected["orders"] if row["outcome"] == "waiting"}
    assert waits_for == {f"curated.silver.rates for _lookup_currency=GBP, day={SATURDAY}"}
    assert second.held("orders", "waiting") == []
    assert (second.order("waiting")["converted"], second.order("waiting")["rate"]) == (15, Decimal("1.5"))
    assert second.amount("overtaken") == 2  # a newer version came meanwhile


def test_a_row_that_a_lookup_got_rejected_is_taken_up_once_the_lookup_is_mended(history: History) -> None:
    assert "capped" in history.days[0].held("orders", "quarantined")
    assert "capped" not in history.days[1].held("orders", "quarantined")
    assert history.days[1].order("capped")["converted"] == 20


def test_a_stored_row_that_no_longer_passes_gives_way_to_the_one_before(history: History) -> None:
    assert [day.amount("displaced") for day in history.days] == [30, 30, 30, 29]
    last = history.days[3].outcome("orders")
    assert (last.technique, last.reason) == ("full", "rows that were taken before no longer pass")
    assert "displaced" in history.days[3].held("orders", "quarantined")


def test_null_keys_and_places_are_quarantined_once(history: History) -> None:
    nulls = [[held for held in day.held("orders", "quarantined") if held is None] for day in history.days]
    reasons = {one["rule"] for row in history.days[0].rejected["orders"] for one in row["reasons"]}

    assert [len(found) for found in nulls] == [2, 3, 3, 3]  # one is no JSON
    assert "nowhere" in history.days[0].held("orders", "quarantined")
    assert {"not_null(id)", "not_null(seq)", "readable", "range(amount)", "range(converted)"} <= reasons


def test_a_rejected_row_keeps_its_reasons_and_its_record(history: History) -> None:
    rejected = {json.loads(row["row"]).get("id"): row for row in history.days[0].rejected["orders"]}

    assert rejected["negative"]["reasons"] == [{"rule": "range(amount)", "found": "-1.00"}]
    assert rejected["unreadable"]["reasons"] == [{"rule": "readable", "found": "amount: cannot read '1.001'"}]
    assert json.loads(rejected["negative"]["payload"])["amount"] == "-1"
    assert rejected["negative"]["landing_file"].endswith(".json")
    assert rejected["negative"]["run_id"] == history.days[0].report.run_id


def test_a_corrected_row_is_taken_while_its_rejected_version_stays_in_quarantine(history: History) -> None:
    assert history.days[1].amount("negative") == 4
    assert "negative" in history.days[1].held("orders", "quarantined")
    assert history.days[1].amount("valid_first") == 5  # a rejected newer version leaves the older in place


def test_ties_of_sequence_are_decided_by_the_record_in_any_order(history: History) -> None:
    records = {row["id"]: row["_record_id"] for row in history.days[0].rows["orders"] if row["id"].startswith("tied")}
    bronze = query.select(Lake(history.lake.conf).path("curated.bronze.orders"), "SELECT * FROM t")
    ids = {id: [r["_record_id"] for r in bronze if f'"id": "{id}"' in r["payload"]] for id in ("tied", "tied_too")}

    assert records["tied"] == max(ids["tied"])
    assert history.days[1].order("tied_too")["_record_id"] == max(ids["tied_too"])
    assert len(ids["tied"]) == len(ids["tied_too"]) == 2


def test_children_are_quarantined_and_wait_by_themselves(history: History) -> None:
    first, second = history.days[:2]

    assert first.items("lines") == [(1, "p1", 1)]
    assert (first.held("items", "quarantined"), first.held("items", "waiting")) == (
        ["lines", "lines_fixed"],
        ["lines", "lines_fixed"],
    )
    assert second.items("lines") == [(1, "p1", 1), (2, "p9", 1)]


def test_rejected_children_leave_with_the_version_of_their_parent(history: History) -> None:
    second = history.days[1]

    assert second.items("lines_fixed") == [(1, "p1", 3)]
    assert (second.held("items", "quarantined"), second.held("items", "waiting")) == (["lines"], [])


def test_every_row_is_accounted_for_in_every_run(history: History) -> None:
    terms = ("written", "unchanged", "superseded", "quarantined", "waiting")
    for day in history.days:
        for name in SILVER:
            rows = day.outcome(name.split(".")[-1]).rows
            assert rows["read"] == sum(rows[term] for term in terms), (name, rows)
    first = history.days[0].outcome("orders").rows
    assert first == {"read": 21, "written": 11, "unchanged": 0, "superseded": 2, "quarantined": 6, "waiting": 2}


def test_a_run_without_news_writes_no_version(history: History) -> None:
    assert {outcome.status for outcome in history.idle.outcomes} == {"skipped"}
    assert history.versions[0] == history.versions[1]


@pytest.mark.once
def test_all_in_one_batch_gives_the_same_tables(history: History, scratch: Factory) -> None:
    """The landing of the four days, taken in by one run."""
    again = history.lake.with_overrides(
        *[f"storage.{layer}.root={history.lake.conf.root('ops')}/again/{layer}" for layer in ("bronze", "silver")]
    )

    at_once = look(again, again.run())

    def comparable(rows: list[Row]) -> list[str]:
        return sorted(repr({name: value for name, value in row.items() if name != "run_id"}) for row in rows)

    last = history.days[-1]
    for name in SILVER:
        short = name.split(".")[-1]
        assert comparable(at_once.rows[short]) == comparable(last.rows[short]), short
        assert comparable(at_once.rejected[short]) == comparable(last.rejected[short]), short


SIMPLE = """
description: Numbers
sources: {numbers: {format: json, delivers: events, system: counter}}
expectations: {silver.numbers: [{rule: range, column: n, min: 0}]}
"""
NUMBERS = """
table = Silver(reads="$p.bronze.numbers", key=("id",), sequence=("seq",),
               columns={"id": ("string", "id"), "seq": ("bigint", "version"), "n": ("bigint", "number")})


@table.transform
def numbers(records):
    return records.withColumn("s", F.from_json("payload", "id string, seq bigint, n bigint")).select("s.*", *CARRIED)
"""


def _numbers(scratch: Factory, pipeline: str) -> Any:
    modules = {
        "bronze/numbers.py": BRONZE.format(source="numbers"),
        "silver/numbers.py": (IMPORTS + NUMBERS).replace("$p", pipeline),
    }
    return scratch(pipeline, modules, SIMPLE)


def _values(lake: Any) -> dict[str, int]:
    return {row.id: row.n for row in lake.rows(f"{lake.conf.name}.silver.numbers").collect()}


def test_replay_takes_up_what_passes_by_now_and_leaves_the_rest(
    scratch: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = _numbers(scratch, "replayed")
    lake.deliver(
        "numbers", {"id": "a", "seq": 1, "n": -1}, {"id": "b", "seq": 1, "n": -9}, {"id": "c", "seq": 1, "n": 1}
    )
    lake.run()
    fingerprint = planner.fingerprint_of
    relaxed = lake.with_overrides("expectations.silver.numbers=[{rule: range, column: n, min: -5}]")
    # Held still, as for a rule whose answer changed without its text: then only a replay judges again.
    monkeypatch.setattr(planner, "fingerprint_of", lambda run, table: "still")
    lake.run()
    idle = relaxed.run()

    replayed = relaxed.run(replay=True).outcomes[-1]
    before = relaxed.versions()
    again = relaxed.run(replay=True).outcomes[-1]
    quarantine = query.select(Lake(lake.conf).path("replayed.quarantine.numbers"), "SELECT * FROM t")

    assert {outcome.status for outcome in idle.outcomes} == {"skipped"}
    assert (replayed.technique, replayed.reason) == ("affected_keys", "replay of what was quarantined or waits")
    assert replayed.rows == {"read": 2, "written": 1, "unchanged": 0, "superseded": 0, "quarantined": 1, "waiting": 0}
    assert _values(relaxed) == {"a": -1, "c": 1}
    assert [json.loads(row["row"])["id"] for row in quarantine] == ["b"]
    assert (again.rows["read"], again.rows["quarantined"]) == (1, 1)
    assert relaxed.versions() == before  # a replay of what still fails moves no table
    monkeypatch.setattr(planner, "fingerprint_of", fingerprint)


def test_a_relaxed_expectation_judges_everything_again(scratch: Factory) -> None:
    lake = _numbers(scratch, "relaxed")
    lake.deliver("numbers", {"id": "a", "seq": 1, "n": -1}, {"id": "c", "seq": 1, "n": 1})
    lake.run()

    relaxed = lake.with_overrides("expectations.silver.numbers=[{rule: range, column: n, min: -5}]")
    outcome = relaxed.run().outcomes[-1]
    strict = lake.run().outcomes[-1]

    assert (outcome.technique, outcome.reason, outcome.rows["written"]) == ("full", "its definition changed", 2)
    assert (strict.technique, strict.rows["quarantined"], _values(lake)) == ("full", 1, {"c": 1})


@pytest.mark.once
def test_without_comparing_sequences_a_late_version_would_win(
    scratch: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the counterexample 1 = A, 3 = A, late 2 = B."""
    from pyspark.sql import functions as F

    lake = _numbers(scratch, "uncompared")
    lake.deliver("numbers", {"id": "a", "seq": 1, "n": 1})
    lake.run()
    lake.deliver("numbers", {"id": "a", "seq": 3, "n": 1})
    lake.run()
    lake.deliver("numbers", {"id": "a", "seq": 2, "n": 2})

    monkeypatch.setattr(outcomes, "_winner_outcome", lambda *_, **__: F.lit("written"))
    lake.run()

    assert _values(lake) == {"a": 2}
