"""Gold: always what a full recompute gives, and written only where something changed, with the reason."""

import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from medallion import query
from medallion.lake import Lake
from medallion.step import Outcome

Factory = Callable[..., Any]

CONF = """
description: Sales
parameters: {factor: 2}
sources:
  sales: {format: json, delivers: events, system: shop}
  regions: {format: csv, delivers: snapshot, system: maps}
expectations:
  gold.by_region: [{rule: range, column: total, min: -1000, severity: fail}]
"""
IMPORTS = """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Aggregate, Bronze, Derived, Mart, Measure, Silver
"""
SALES = """
table = Silver(reads="sold.bronze.sales", key=("id",), sequence=("_delivery", "_position"), deleted="gone",
               columns={"id": ("string", "id"), "region": ("string", "r"), "kind": ("string", "k"),
                        "amount": ("decimal(10,2)", "a")})

@table.transform
def sales(records):
    sent = F.from_json("payload", "id string, region string, kind string, amount decimal(10,2), gone boolean")
    return records.withColumn("s", sent).select("s.*", *CARRIED)
"""
REGIONS = """
table = Silver(reads="sold.bronze.regions", key=("region",), sequence=("_delivery", "_position"),
               columns={"region": ("string", "r"), "name": ("string", "n")})

@table.transform
def regions(records):
    return records.select(*[F.col("fields")[c].alias(c) for c in ("region", "name")], *CARRIED)
"""
MART = """
table = Mart(driving="sold.silver.sales", key=("id",), lookups={"sold.silver.regions": "region"},
             columns={"id": ("string", "id"), "name": ("string", "region's name"), "kind": ("string", "k"),
                      "amount": ("decimal(10,2)", "a")})

@table.transform
def named(sales, regions):
    return sales.join(regions, on="region", how="left").select("id", "name", "kind", "amount")
"""
BY_REGION = """
table = Aggregate(
    reads="sold.gold.named", dimensions={"name": "name", "kind": "upper(kind)"}, where="amount <> 0",
    measures={"sales": Measure("count"), "big": Measure("count", where="amount > 10"),
              "kinds": Measure("count_distinct", "kind"), "total": Measure("sum", "amount"),
              "least": Measure("min", "amount"), "most": Measure("max", "amount")},
    columns={"name": ("string", "n"), "kind": ("string", "k"), "sales": ("bigint", "n"), "big": ("bigint", "n"),
             "kinds": ("bigint", "n"), "total": ("decimal(12,2)", "t"), "least": ("decimal(10,2)", "m"),
             "most": ("decimal(10,2)", "m")},
)
"""
DATED = """
table = Derived(reads=("sold.gold.by_region",), key=("day",),
                columns={"day": ("date", "the run's date"), "total": ("decimal(22,2)", "all")})

@table.transform
def dated(by_region, *, run_date, factor):
    total = (F.sum("total") * factor).cast("decimal(22,2)").alias("total")
    return by_region.agg(total).select(F.lit(run_date).alias("day"), "total")
"""
MODULES = {
    **{f"bronze/{s}.py": f"{IMPORTS}table = Bronze(source='{s}')" for s in ("sales", "regions")},
    "silver/sales.py": IMPORTS + SALES,
    "silver/regions.py": IMPORTS + REGIONS,
    "gold/named.py": IMPORTS + MART,
    "gold/by_region.py": IMPORTS + BY_REGION,
    "gold/dated.py": IMPORTS + DATED,
}
NAMED, BY_NAME, BY_DATE = "sold.gold.named", "sold.gold.by_region", "sold.gold.dated"


@dataclass
class Moment:
    """What the steps of a run did, and the gold rows after it."""

    outcomes: dict[str, Outcome]
    versions: dict[str, int]
    by_region: set[tuple[Any, ...]]
    dated: list[tuple[str, Decimal]]

    def told(self, name: str) -> tuple[str, str]:
        return self.outcomes[name].technique, self.outcomes[name].reason


def sale(id: str, amount: str, region: str | None = "a", kind: str | None = "x", **more: Any) -> dict[str, Any]:
    return {"id": id, "amount": amount, "region": region, "kind": kind, **more}


FIRST = [
    sale("1", "10.50"),
    sale("2", "-3.25"),
    sale("3", "7", kind=None),
    sale("4", "20", kind="X"),
    sale("5", "1", region=None),
    sale("6", "2", region=None, kind=None),
    sale("7", "4", region="unknown"),
    sale("8", "0"),
    sale("9", "99"),
]
SECOND = [sale("1", "11"), sale("9", "99", gone=True), sale("10", "5", region="b")]


def expected(sales: list[dict[str, Any]], names: dict[str, str]) -> set[tuple[Any, ...]]:
    """Aggregate in plain Python what the sales, the last of each id, should come to."""
    groups: dict[tuple[str | None, str | None], list[dict[str, Any]]] = defaultdict(list)
    for one in {one["id"]: one for one in sales}.values():
        if not one.get("gone") and Decimal(one["amount"]) != 0:
            kind = one["kind"].upper() if one["kind"] else None
            groups[names.get(one["region"]), kind].append(one)
    found = set()
    for key, members in groups.items():
        amounts = [Decimal(one["amount"]) for one in members]
        kinds = {one["kind"] for one in members} - {None}
        big = sum(amount > 10 for amount in amounts)
        found.add((*key, len(members), big, len(kinds), sum(amounts), min(amounts), max(amounts)))
    return found


@pytest.fixture(scope="module")
def history(shared_scratch: Factory) -> dict[str, Moment]:
    """Run after run, each after one thing changed; see the tests."""
    lake = shared_scratch("sold", MODULES, CONF)
    moments: dict[str, Moment] = {}
    spark = lake.sessions.fresh(0)
    tables = Lake(lake.conf)

    def run(what: str, by: Any = lake) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(
                "MEDALLION_NOW", "2026-02-01T12:00:00+00:00" if "date" in what else "2026-01-31T12:00:00+00:00"
            )
            report = by.run()
        assert [outcome.error for outcome in report.outcomes if outcome.error] == []
        columns = "name, kind, sales, big, kinds, total, least, most"
        by_region = query.select(tables.path(BY_NAME), f"SELECT {columns} FROM t")
        dated = query.select(tables.path(BY_DATE), "SELECT day, total FROM t")
        moments[what] = Moment(
            {outcome.table: outcome for outcome in report.outcomes},
            lake.versions(),
            {tuple(row.values()) for row in by_region},
            [(str(row["day"]), row["total"]) for row in dated],
        )

    lake.deliver("sales", *FIRST)
    lake.deliver("regions", "region,name\na,North\nb,South\n", ending="csv")
    run("first")
    run("idle")
    lake.deliver("sales", *SECOND)
    run("sales")
    lake.deliver("regions", "region,name\na,Nord\nb,South\n", ending="csv")
    run("lookup")
    run("date moved")
    run("date moved on")
    spark.sql(f"DELETE FROM delta.`{tables.path(BY_NAME)}` WHERE kind IS NULL").collect()
    run("gold by hand, date")
    spark.sql(f"UPDATE delta.`{tables.path('sold.silver.sales')}` SET amount = 1 WHERE id = '4'").collect()
    run("silver by hand, date")
    shutil.rmtree(tables.path("sold.silver.regions"))
    run("recreated, date")
    project = {**MODULES, "gold/by_region.py": (IMPORTS + BY_REGION).replace("> 10", "> 15")}
    run("defined anew, date", shared_scratch("sold", project, CONF, at="later"))
    return moments


def test_an_aggregate_equals_plain_python_nulls_as_dimensions_too(history: dict[str, Moment]) -> None:
    names = {"a": "North", "b": "South"}

    assert history["first"].by_region == expected(FIRST, names)
    assert {(row[0], row[1]) for row in history["first"].by_region} == {
        ("North", "X"),
        ("North", None),
        (None, "X"),
        (None, None),
    }
    assert history["sales"].by_region == expected(FIRST + SECOND, names)
    assert history["lookup"].by_region == expected(FIRST + SECOND, {"a": "Nord", "b": "South"})


def test_a_first_load_says_so(history: dict[str, Moment]) -> None:
    assert {history["first"].told(name) for name in (NAMED, BY_NAME, BY_DATE)} == {("full", "first load")}


def test_nothing_is_written_where_nothing_changed(history: dict[str, Moment]) -> None:
    assert {outcome.status for outcome in history["idle"].outcomes.values()} == {"skipped"}
    assert history["idle"].told(BY_NAME) == ("skip", "nothing changed upstream")
    assert history["idle"].versions == history["first"].versions


def technique_and_end(moment: Moment, name: str) -> tuple[str, str]:
    """Return technique and, of the reason, what changed: tables of a few rows cost less in full."""
    technique, reason = moment.told(name)
    assert reason.startswith("all of it costs less, about ")
    return technique, reason.partition(" s for ")[2]


def test_a_changed_input_is_the_reason_and_only_what_hangs_on_it_is_refreshed(history: dict[str, Moment]) -> None:
    assert technique_and_end(history["sales"], NAMED) == ("full", "3 of 10 rows of sold.silver.sales")
    assert technique_and_end(history["sales"], BY_NAME) == ("full", "sold.gold.named as a whole")
    assert history["sales"].outcomes["sold.silver.regions"].status == "skipped"
    assert technique_and_end(history["lookup"], NAMED)[0] == "full"
    assert technique_and_end(history["lookup"], NAMED)[1].endswith(" rows of sold.silver.regions")


def test_the_runs_date_is_an_input_of_what_takes_it(history: dict[str, Moment]) -> None:
    moved = history["date moved"]
    total = 2 * sum(row[5] for row in moved.by_region)

    assert moved.told(BY_DATE) == ("full", "the run's date moved from 2026-01-31 to 2026-02-01")
    assert (history["lookup"].dated, moved.dated) == ([("2026-01-31", total)], [("2026-02-01", total)])
    assert moved.outcomes[BY_NAME].status == "skipped"
    assert history["date moved on"].outcomes[BY_DATE].status == "skipped"


def test_a_change_by_hand_is_undone_and_said_aloud(history: dict[str, Moment]) -> None:
    gold, silver = history["gold by hand, date"], history["silver by hand, date"]

    version = history["date moved on"].versions[BY_NAME] + 1
    assert gold.told(BY_NAME) == ("full", f"its rows were changed by hand: DELETE at version {version}")
    version = gold.versions["sold.silver.sales"] + 1
    assert silver.told("sold.silver.sales") == ("full", f"its rows were changed by hand: UPDATE at version {version}")
    assert gold.by_region == silver.by_region == history["lookup"].by_region


def test_an_upstream_table_that_was_recreated_is_told(history: dict[str, Moment]) -> None:
    assert history["recreated, date"].told("sold.silver.regions") == ("full", "first load")
    assert history["recreated, date"].told(NAMED) == ("full", "sold.silver.regions was recreated")
    assert history["recreated, date"].by_region == history["lookup"].by_region


def test_a_changed_definition_is_told(history: dict[str, Moment]) -> None:
    anew = history["defined anew, date"]

    assert anew.told(BY_NAME) == ("full", "its definition changed")
    assert anew.outcomes[NAMED].status == "skipped"
    assert {row[3] for row in anew.by_region} != {row[3] for row in history["lookup"].by_region}


def test_the_same_rows_do_not_depend_on_how_they_came(history: dict[str, Moment], shared_scratch: Factory) -> None:
    """All deliveries taken in by one run give what a run after each gave."""
    lake = shared_scratch("sold", MODULES, CONF)
    place = f"{lake.conf.root('ops')}/at_once"
    at_once = lake.with_overrides(*[f"storage.{layer}.root={place}/{layer}" for layer in ("bronze", "silver", "gold")])

    assert at_once.run().passed
    columns = ("name", "kind", "sales", "big", "kinds", "total", "least", "most")
    rows = at_once.rows(BY_NAME, *columns).collect()

    assert {tuple(row) for row in rows} == history["lookup"].by_region
