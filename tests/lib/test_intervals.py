"""History of rows: the versions of a key with the intervals in which they held, whatever order they came in."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from medallion import catalog, intervals, query, run
from medallion.declaration import check_declaration
from medallion.errors import ConfError, DeclarationError
from medallion.tables import CARRIED, INTERVAL, Silver
from medallion.views import show

Factory = Callable[..., Any]
Row = dict[str, Any]

CONF = """
description: Prices as a shop lists them, in currencies whose names may be late
parameters: {shift: 0}
sources:
  prices: {format: csv, delivers: events, system: shop}
  currencies: {format: csv, delivers: snapshot, system: bank}
expectations:
  silver.prices:
    - {rule: range, column: price, min: 0}
    - {rule: unique, columns: [product]}
"""
MODULES = {
    "bronze/prices.py": "from medallion.tables import Bronze\ntable = Bronze(source='prices')",
    "bronze/currencies.py": "from medallion.tables import Bronze\ntable = Bronze(source='currencies')",
    "silver/currencies.py": """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver
table = Silver(reads="listed.bronze.currencies", key=("currency",), sequence=("seen", "_delivery"), history="scd2",
               columns={"currency": ("string", "c"), "name": ("string", "n"), "seen": ("date", "d")})

@table.transform
def currencies(records):
    cells = [F.col("fields")[name].alias(name) for name in ("currency", "name")]
    return records.select(*cells, F.to_date(F.col("fields")["seen"]).alias("seen"), *CARRIED)
""",
    "silver/prices.py": """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Lookup, Silver
table = Silver(reads="listed.bronze.prices", key=("product",), sequence=("since",), deleted="is_gone", history="scd2",
               lookups=(Lookup("listed.silver.currencies", on={"currency": "currency"}, take={"name": "name"}),),
               columns={"product": ("string", "p"), "since": ("date", "day"), "price": ("int", "price"),
                        "currency": ("string", "c"), "name": ("string", "of the currency")})

@table.transform
def prices(records, *, shift):
    cell = lambda name: F.nullif(F.col("fields")[name], F.lit(""))
    return records.select(cell("product").alias("product"), F.to_date(cell("since")).alias("since"),
                          (cell("price").cast("int") + shift).alias("price"), cell("currency").alias("currency"),
                          cell("price").isNull().alias("is_gone"), *CARRIED)
""",
    "silver/stock.py": """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver
table = Silver(reads="listed.silver.prices", key=("product", "since"), parent=("product",),
               columns={"product": ("string", "p"), "since": ("date", "day")})

@table.transform
def stock(prices):
    return prices.select("product", "since", *CARRIED)
""",
    "gold/prices_by_currency.py": """
from medallion.tables import Aggregate, Measure
table = Aggregate(reads="listed.silver.prices", dimensions={"name": "name"},
                  measures={"products": Measure("count"), "total": Measure("sum", "price")},
                  columns={"name": ("string", "n"), "products": ("bigint", "k"), "total": ("bigint", "sum")})
""",
}
HEAD = "product,since,price,currency\n"
EURO = "currency,name,seen\nEUR,Euro,2025-01-01\n"
MON, TUE, WED, THU, FRI = (f"2026-03-0{day}" for day in (2, 3, 4, 5, 6))


@pytest.fixture
def shop(scratch: Factory) -> Any:
    lake = scratch("listed", MODULES, CONF)
    lake.deliver("currencies", EURO, ending="csv")
    return lake


def _history(lake: Any, columns: str = "product, price, valid_from, valid_to, is_current") -> list[tuple[Any, ...]]:
    rows = lake.stored("listed.silver.prices").where("NOT _deleted").selectExpr(*columns.split(", "))
    return sorted((tuple(map(str, row)) for row in rows.collect()), key=lambda row: (row[0], row[2]))


def test_a_version_holds_until_the_next_and_readers_see_the_newest(shop: Any) -> None:
    shop.deliver("prices", HEAD + f"tea,{MON},5,EUR\ntea,{WED},7,EUR\nrum,{MON},9,EUR\n", ending="csv")
    assert shop.run().passed
    shop.deliver("prices", HEAD + f"tea,{TUE},5,EUR\nrum,{THU},,\n", ending="csv")  # late, and a deletion
    done = shop.run()

    assert done.passed
    assert _history(shop) == [
        ("rum", "9", MON, THU, "False"),
        ("tea", "5", MON, TUE, "False"),
        ("tea", "5", TUE, WED, "False"),  # an equal neighbour stays
        ("tea", "7", WED, "None", "True"),
    ]
    assert [tuple(row) for row in shop.rows("listed.silver.prices", "product", "price").collect()] == [("tea", 7)]
    assert [tuple(row) for row in shop.rows("listed.silver.stock", "product").collect()] == [("tea",)]
    assert [tuple(row) for row in shop.rows("listed.gold.prices_by_currency").collect()] == [("Euro", 1, 7)]
    (prices,) = [one for one in done.outcomes if one.table == "listed.silver.prices"]
    assert (prices.technique, prices.rows["read"], prices.rows["written"]) == ("affected_keys", 2, 2)


def test_a_run_without_news_writes_nothing(shop: Any) -> None:
    shop.deliver("prices", HEAD + f"tea,{MON},5,EUR\n", ending="csv")
    shop.run()
    before = shop.versions()
    shop.run()

    assert shop.versions() == before


@pytest.mark.once
def test_what_is_judged_again_takes_the_place_of_its_version(shop: Any) -> None:
    shop.deliver("prices", HEAD + f"tea,{MON},5,EUR\ntea,{TUE},6,GBP\ntea,{WED},7,EUR\n", ending="csv")
    shop.run()
    assert _history(shop) == [("tea", "5", MON, WED, "False"), ("tea", "7", WED, "None", "True")]  # Tuesday's waits

    shop.deliver("currencies", EURO + f"GBP,Pound,{TUE}\nEUR,Ecu,{TUE}\n", ending="csv")  # EUR was renamed
    done = shop.run()

    assert done.passed
    assert _history(shop, "product, name, valid_from, valid_to") == [
        ("tea", "Ecu", MON, TUE),
        ("tea", "Pound", TUE, WED),
        ("tea", "Ecu", WED, "None"),
    ]
    # A lookup meets the newest version only: or each row would be there twice.
    assert shop.rows("listed.silver.currencies").count() == 2


@pytest.mark.once
def test_of_versions_from_the_same_moment_the_last_one_holds(shop: Any) -> None:
    shop.deliver("prices", HEAD + f"tea,{MON},5,EUR\n", ending="csv")
    shop.deliver("prices", HEAD + f"tea,{MON},6,EUR\ntea,{TUE},7,EUR\n", ending="csv")
    shop.run()

    held = [row for row in _history(shop) if row[2] != row[3]]
    assert len(held) == 2
    assert {row[2] for row in held} == {MON, TUE}
    views = dict(catalog.views(run.prepare(shop.conf)))
    spark = shop.sessions.start()
    assert spark.sql(views["listed_silver.prices_history"]).count() == 2
    assert spark.sql(views["listed_silver.prices"]).count() == 1


@pytest.mark.once
def test_another_definition_makes_the_whole_history_anew(shop: Any) -> None:
    shop.deliver("prices", HEAD + f"tea,{MON},5,EUR\ntea,{WED},7,EUR\n", ending="csv")
    shop.run()
    before = _history(shop)
    shifted = shop.with_overrides("parameters.shift=1")
    done = shifted.run()

    (prices,) = [one for one in done.outcomes if one.table == "listed.silver.prices"]
    assert prices.technique == "full"
    assert [(row[0], int(row[1]) - 1, *row[2:]) for row in _history(shifted)] == [
        (row[0], int(row[1]), *row[2:]) for row in before
    ]


@pytest.mark.parametrize(
    ("day", "prices"),
    [("2026-03-01", []), (MON, [5]), (TUE, [5]), (WED, [7]), (THU, []), ("2026-03-31", [])],
)
def test_show_tells_what_held_on_a_day(shared_shop: Any, day: str, prices: list[int]) -> None:
    found = show.of(shared_shop.conf, "listed.silver.prices", as_of_event=day, columns=["price"])

    assert [row["price"] for row in found.rows] == prices
    assert (found.total, found.as_of_event) == (len(prices), day)


@pytest.fixture(scope="module")
def shared_shop(shared_scratch: Factory) -> Any:
    lake = shared_scratch("listed", MODULES, CONF)
    lake.deliver("currencies", EURO, ending="csv")
    lake.deliver("prices", HEAD + f"tea,{MON},5,EUR\ntea,{WED},7,EUR\ntea,{THU},,\n", ending="csv")
    lake.run()
    return lake


def test_show_refuses_a_moment_that_it_cannot_tell(shared_shop: Any) -> None:
    with pytest.raises(ConfError, match=r"keeps no versions of its rows; wanted a silver table with history='scd2'"):
        show.of(shared_shop.conf, "listed.gold.prices_by_currency", as_of_event=MON)
    with pytest.raises(ConfError, match=r"--as-of-event: found 'Monday'; wanted a day such as 2026-01-31$"):
        show.of(shared_shop.conf, "listed.silver.prices", as_of_event="Monday")
    with pytest.raises(ConfError, match=r"wanted a day such as 2026-01-31$"):
        show.of(shared_shop.conf, "listed.silver.prices", as_of_event=f"{MON}T12:00:00+00:00")


def test_readers_without_spark_see_the_newest_version_only(shared_shop: Any) -> None:
    assert show.of(shared_shop.conf, "listed.silver.prices").total == 0  # it is gone
    assert query.seen(["a", "is_current"]) == ""  # of a table that is none of silver's


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sequence": ("_delivery",)}, r"wanted a date or timestamp among its columns first"),
        ({"sequence": ()}, r"wanted a date or timestamp among its columns first"),
        ({"parent": ("id",)}, r"history='scd2' with parent=; wanted scd1"),
        ({"columns": {"id": ("string", ""), "at": ("date", ""), "valid_to": ("date", "")}}, r"the engine adds"),
        ({"history": "scd1", "columns": {"id": ("string", ""), "is_current": ("boolean", "")}}, r"the engine adds"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(change: Mapping[str, Any], told: str) -> None:
    facts: Row = {
        "reads": "p.bronze.t",
        "key": ("id",),
        "sequence": ("at",),
        "history": "scd2",
        "columns": {"id": ("string", ""), "at": ("date", "")},
    }
    table = Silver(**{**facts, **change})
    table.name = "p.silver.t"
    table.transform(lambda records: records)

    with pytest.raises(DeclarationError, match=told):
        check_declaration(table)


# -- any order of arrival, in any split, gives the history that a fold in plain Python gives ------------------------

COLUMNS = ["product", "since", "price", *INTERVAL, *CARRIED, "_ordinal", "_deleted"]
SCHEMA = "product string, since date, price int, _record_id string, _delivery long, _position long, _ordinal int"
JUDGED = f"{SCHEMA}, _deleted boolean, _verdict string, _missed array<struct<rule:string,found:string>>"
STORED = f"{SCHEMA}, _deleted boolean, valid_from date, valid_to date, is_current boolean"
TABLE = Silver(
    reads="p.bronze.t",
    key=("product",),
    sequence=("since",),
    history="scd2",
    columns={"product": ("string", ""), "since": ("date", ""), "price": ("int", "")},
)
SENT = st.tuples(
    st.sampled_from(["tea", "rum"]),
    st.integers(1, 4),
    st.integers(0, 2),
    st.sampled_from(["valid", "valid", "valid", "gone", "quarantined"]),
)


def _record(number: int, sent: tuple[str, int, int, str]) -> Row:
    product, day, price, kind = sent
    return {
        "product": product,
        "since": date(2026, 1, day),
        "price": price,
        "_record_id": f"r{number:02}",
        "_delivery": 1,
        "_position": number,
        "_ordinal": 0,
        "_deleted": kind == "gone",
        "_verdict": "quarantined" if kind == "quarantined" else "valid",
        "_missed": [],
    }


def _folded(records: Sequence[Row]) -> set[tuple[Any, ...]]:
    """Return all versions with their intervals, as plain Python has them."""
    found = set()
    for product in {record["product"] for record in records}:
        versions = [r for r in records if r["product"] == product and r["_verdict"] == "valid"]
        versions.sort(key=lambda r: (r["since"], r["_record_id"]))
        for version, following in zip(versions, [*versions[1:], None], strict=False):
            until = following["since"] if following else None
            found.add((version["_record_id"], version["price"], version["since"], until, following is None))
    return found


def _merged(stored: dict[str, Row], sorted_out: DataFrame) -> dict[str, Row]:
    """Apply what is to be written, as the MERGE would."""
    rows = [row.asDict() for row in sorted_out.where("_outcome IN ('written', 'adjusted')").collect()]
    return stored | {row["_record_id"]: {name: row[name] for name in COLUMNS} for row in rows}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(SENT, min_size=1, max_size=9), cuts=st.sets(st.integers(1, 8), max_size=2), seed=st.randoms())
def test_any_order_of_arrival_gives_the_same_history(
    spark: SparkSession, sent: list[tuple[str, int, int, str]], cuts: set[int], seed: Any
) -> None:
    records = [_record(number, one) for number, one in enumerate(sent)]
    arrivals = list(records)
    seed.shuffle(arrivals)
    stored: dict[str, Row] = {}
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(arrivals)], strict=True):
        if batch := arrivals[start:end]:
            rows = spark.createDataFrame([[row[name] for name in row] for row in batch], JUDGED)
            if stored:
                held = spark.createDataFrame(
                    [[row[name] for name in _names(STORED)] for row in stored.values()], STORED
                )
                found = intervals.rebuilt(TABLE, rows, COLUMNS, held, again=bool(start % 2))
            else:
                found = intervals.of_all(TABLE, rows)
            assert found.where("_outcome NOT IN ('adjusted')").count() == len(batch)
            stored = _merged(stored, found)

    facts = {
        (row["_record_id"], row["price"], row["valid_from"], row["valid_to"], row["is_current"])
        for row in stored.values()
    }
    assert facts == _folded(records)


def _names(schema: str) -> list[str]:
    return [column.split()[0] for column in schema.split(", ")]
