"""The graph: found by place, in order, and refused where it cannot work, with words that help."""

from collections.abc import Callable, Iterator

import pytest

from medallion import graph
from medallion.conf import Conf
from medallion.errors import ConfError, DeclarationError, GraphError

CONF = """
description: A graph to look at
parameters: {zone: UTC}
sources:
  orders: {format: json, delivers: events, system: shop}
"""
BRONZE = "from medallion.tables import Bronze\ntable = Bronze(source='orders')\n"
IMPORTS = "from medallion.tables import *\nfrom medallion.tables import Lookup, Measure\n"
SILVER = """
table = Silver(reads="{p}.bronze.orders", key=("id",), columns={{"id": ("string", "id"), "day": ("date", "day")}})
@table.transform
def rows(records):
    return records
"""
GOLD = """
table = Aggregate(reads="{p}.silver.orders", dimensions={{"day": "day"}}, measures={{"orders": Measure("count")}},
    columns={{"day": ("date", "day"), "orders": ("bigint", "orders")}})
"""
CYCLE = """
table = Derived(reads=("{p}.gold.%s",), key=("day",), columns={{"day": ("date", "day")}})
@table.transform
def rows(x):
    return x
"""
PLAIN = {"bronze/orders.py": BRONZE, "silver/orders.py": SILVER, "gold/days.py": GOLD}

_numbers: Iterator[int] = iter(range(1_000))


@pytest.fixture
def tables(project: Callable[..., Conf]) -> Callable[..., dict[str, object]]:
    """Return a function that loads the plain graph with some modules, and some lines of conf, in their place."""

    def load(conf: str = "", **modules: str | None) -> dict[str, object]:
        name = f"graph{next(_numbers)}"
        given = {place.replace("__", "/") + ".py": text for place, text in modules.items()}
        texts = {place: text for place, text in {**PLAIN, **given}.items() if text is not None}
        written = {place: IMPORTS + text.format(p=name) for place, text in texts.items()}
        return dict(graph.load(project(name, written, (CONF + conf).replace("$p", name))))

    return load


def _names(tables: dict[str, object]) -> list[str]:
    return [name.split(".", 1)[1] for name in tables]


def test_tables_are_found_by_their_place_and_come_after_what_they_read(
    tables: Callable[..., dict[str, object]],
) -> None:
    found = tables(gold__always=(CYCLE % "days").replace("(x)", "(x, *, run_date, zone)"))

    assert _names(found) == ["bronze.orders", "silver.orders", "gold.days", "gold.always"]


def test_a_table_comes_after_those_its_expectations_look_at(project: Callable[..., Conf]) -> None:
    conf = """
expectations:
  silver.a: [{rule: relationships, column: id, to: looking.silver.orders, field: id}]
  silver.orders: [{rule: relationships, column: id, to: looking.silver.orders, field: id}]
  gold.a: [{rule: sql, name: adds_up}]
"""
    modules = {**PLAIN, "silver/a.py": SILVER, "gold/a.py": GOLD}
    written = {place: IMPORTS + text.format(p="looking") for place, text in modules.items()}
    written["gold/checks/a.adds_up.sql"] = "SELECT 1 FROM looking_gold.days JOIN looking_gold.a"

    loaded = project("looking", written, CONF + conf)
    found = graph.load(loaded)

    assert _names(found) == ["bronze.orders", "silver.orders", "silver.a", "gold.days", "gold.a"]
    assert graph.before(loaded, found, "looking.gold.a") == ["looking.silver.orders", "looking.gold.days"]


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (
            {"gold__a": CYCLE % "b", "gold__b": CYCLE % "a"},
            r"tables that wait for each other: \S+\.gold\.[ab] -> \S+\.gold\.[ab] -> \S+\.gold\.[ab]$",
        ),
        ({"gold__a": CYCLE % "a"}, r"tables that wait for each other: \S+\.gold\.a -> \S+\.gold\.a$"),
        (
            {"silver__orders": None},
            r"graph\d+\.gold\.days: reads graph\d+\.silver\.orders, which is no table; known: graph",
        ),
        (
            {"silver__a": SILVER.replace("{p}.bronze.orders", "{p}.gold.days").replace("key=", "parent=('id',), key=")},
            r"\.silver\.a: reads graph\d+\.gold\.days; data goes from bronze to silver to gold only",
        ),
        (
            {"silver__a": SILVER.replace("key=", "lookups=(Lookup('{p}.gold.days', on={{'day': 'day'}}),), key=")},
            r"\.silver\.a: reads graph\d+\.gold\.days; data goes from bronze to silver to gold only",
        ),
    ],
)
def test_a_graph_that_cannot_be_ordered_is_refused(
    tables: Callable[..., dict[str, object]], modules: dict[str, str | None], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        tables(**modules)


@pytest.mark.parametrize(
    "read",
    ["x.sparkSession.table('y')", "x.sparkSession.sql('SELECT 1')", "x.sparkSession.read", "x.sparkSession.readStream"],
)
def test_a_read_that_is_not_declared_is_refused(tables: Callable[..., dict[str, object]], read: str) -> None:
    word = read.split(".")[2].split("(")[0]

    with pytest.raises(GraphError, match=rf"silver/a\.py:7: found \.{word}, an undeclared read; wanted every input"):
        tables(silver__a=SILVER.replace("records):\n", f"x):\n    {read}\n").replace("return records", "return x"))


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (
            {"silver__orders": SILVER.replace("(records)", "(records, rates)")},
            r"\.silver\.orders: its function takes 2 tables, but 1 are declared \(graph\d+\.bronze\.orders\); declare",
        ),
        ({"silver__a": SILVER.split("@")[0]}, r"\.silver\.a: no function; wanted one below @table\.transform"),
        ({"silver__a": SILVER.replace('("id",)', "()")}, r"\.silver\.a: no key; wanted the columns that make a row"),
        (
            {"silver__a": SILVER.replace('("id",)', '("nr",)')},
            r"\.silver\.a: \['nr'\] not among its columns \['id', 'day'\]",
        ),
        (
            {"silver__a": SILVER.replace("key=", 'sequence=("at",), key=')},
            r"\.silver\.a: \['at'\] not among its columns \['id', 'day'\]",
        ),
        (
            {"silver__a": SILVER.replace("bronze", "silver")},
            r"\.silver\.a: reads graph\d+\.silver\.orders; wanted parent=, the parent's key in its rows",
        ),
        (
            {"silver__a": SILVER.replace("bronze", "silver").replace("key=", 'parent=("nr",), key=')},
            r"\.silver\.a: \['nr'\] not among its columns \['id', 'day'\]",
        ),
        (
            {"silver__a": SILVER.replace("bronze", "silver").replace("key=", 'parent=("day",), key=')},
            r"\.silver\.a: parent=\('day',\); wanted the key of graph\d+\.silver\.orders: \('id',\)",
        ),
        (
            {"silver__a": SILVER.replace("key=", "lookups=(Lookup('{p}.silver.orders', on={{'nr': 'id'}}),), key=")},
            r"\.silver\.a: \['nr'\] not among its columns .*; a lookup's own columns are declared, or start with",
        ),
        (
            {"silver__a": SILVER.replace("key=", "lookups=(Lookup('{p}.silver.orders', on={{'day': 'day'}}),), key=")},
            r"\.silver\.a: looks up graph\d+\.silver\.orders by \['day'\]; wanted its key, \['id'\]: one row at most",
        ),
        (
            {"gold__days": GOLD.replace('measures={{"orders"', 'measures={{"n"')},
            r"\.gold\.days: \['n'\] not among its col",
        ),
        ({"silver__a": "rows = 1"}, r"silver/a\.py: found no table; wanted `table = Bronze\(\.\.\.\)`, Silver, Mart"),
        ({"silver__a": "import nowhere_at_all"}, r"silver/a\.py: cannot be imported: No module named 'nowhere_at_all'"),
        ({"silver__a": "def ("}, r"silver/a\.py: cannot be imported: invalid syntax"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(
    tables: Callable[..., dict[str, object]], modules: dict[str, str], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        tables(**modules)


@pytest.mark.parametrize(
    ("modules", "conf", "message"),
    [
        (
            {"silver__orders": SILVER.replace("(records)", "(records, *, currency)")},
            "",
            r"yaml: parameters: wanted currency, which graph\d+\.silver\.orders takes",
        ),
        (
            {"bronze__orders": BRONZE.replace("orders", "returns")},
            "",
            r"yaml: sources: wanted 'returns', which graph\d+\.bronze\.orders takes in",
        ),
        (
            {},
            "expectations: {silver.orders: [{rule: not_null, column: nr}]}",
            r"expectations\.silver\.orders: not_null\(nr\): no column nr; graph\d+\.silver\.orders has id, day",
        ),
        (
            {},
            "expectations: {silver.order: [{rule: not_null, column: id}]}",
            r"expectations\.silver\.order: no table of that name",
        ),
        (
            {},
            "expectations: {bronze.orders: [{rule: not_null, column: id}]}",
            r"expectations\.bronze\.orders: not_null\(id\): bronze keeps what comes as it comes",
        ),
        (
            {},
            "expectations: {silver.orders: [{rule: relationships, column: id, to: $p.silver.x, field: id}]}",
            r"expectations\.silver\.orders: relationships\(id\): no table graph\d+\.silver\.x; wanted one of graph",
        ),
        (
            {},
            "expectations: {gold.days: [{rule: relationships, column: day, to: $p.silver.orders, field: nr}]}",
            r"expectations\.gold\.days: relationships\(day\): no column nr; graph\d+\.silver\.orders has id, day",
        ),
        (
            {},
            "expectations: {gold.days: [{rule: sql, name: adds_up}]}",
            r"gold/checks/days\.adds_up\.sql: no such file; wanted the SQL of graph\d+\.gold\.days's check 'adds_up'",
        ),
    ],
)
def test_conf_that_does_not_fit_the_tables_is_refused(
    tables: Callable[..., dict[str, object]], modules: dict[str, str], conf: str, message: str
) -> None:
    with pytest.raises(ConfError, match=message):
        tables(conf, **modules)


def test_a_pipeline_without_tables_is_refused(project: Callable[..., Conf]) -> None:
    with pytest.raises(GraphError, match=r"found no table module; wanted jobs/graph_empty/<layer>/<table>\.py"):
        graph.load(project("graph_empty", {}, CONF))


def test_a_run_is_limited_to_a_layer_or_a_table_by_either_name(tables: Callable[..., dict[str, object]]) -> None:
    found = tables()
    pipeline = next(iter(found)).split(".")[0]

    assert graph.select(found, layer="silver") == [f"{pipeline}.silver.orders"]
    assert graph.select(found, table="gold.days") == graph.select(found, table=f"{pipeline}.gold.days")
    assert graph.select(found) == list(found)
    with pytest.raises(ConfError, match="layer: found 'platinum'; wanted one of bronze, silver, gold"):
        graph.select(found, layer="platinum")
    with pytest.raises(ConfError, match=r"table: found 'orders'; wanted one of graph\d+\.bronze\.orders"):
        graph.select(found, table="orders")
