"""The tables of a pipeline, found by their place, and the order in which they are refreshed."""

import ast
import importlib
import re
import sys
from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from medallion import syntax
from medallion.conf import Conf, Expectation
from medallion.conf.expectation import TIME_RULES
from medallion.declaration import check_declaration
from medallion.errors import ConfError, DeclarationError, GraphError, some
from medallion.tables import CARRIED, RUN_DATE, Bronze, Mart, Silver, Table, layer_of, sql_name

LAYERS = ("bronze", "silver", "gold")
# What a transform would use to read something that it does not declare.
_READS = {"read", "readStream", "table", "sql", "readChangeFeed"}


def load(conf: Conf) -> dict[str, Table]:
    """Import the pipeline's table modules and return its tables by full name, upstream first.

    Raises DeclarationError or GraphError for a module, a declaration or a graph that cannot work.
    """
    folder = conf.project / "jobs" / conf.name
    if str(conf.project) not in sys.path:
        sys.path.insert(0, str(conf.project))
    tables: dict[str, Table] = {}
    for layer in LAYERS:
        for path in sorted((folder / layer).glob("*.py")):
            if path.stem != "__init__":
                table = _table(conf, layer, path)
                tables[table.name] = table
    if not tables:
        raise GraphError(f"{folder}: found no table module; wanted jobs/{conf.name}/<layer>/<table>.py")
    _check_conf(conf, tables)
    ordered = {name: tables[name] for name in order(conf, tables)}
    for table in ordered.values():
        if isinstance(table, Silver):
            _check_silver(table, ordered)
        if isinstance(table, Mart):
            _check_mart(table, ordered)
    return ordered


def order(conf: Conf, tables: Mapping[str, Table]) -> list[str]:
    """Return the names so that every table comes after what it waits for; raises GraphError for cycles and unknowns."""
    for table in tables.values():
        unknown = [name for name in table.upstream if name not in tables]
        if unknown:
            raise GraphError(f"{table.name}: reads {some(unknown)}, which is no table; known: {some(sorted(tables))}")
        upwards = [n for n in table.upstream if LAYERS.index(layer_of(n)) > LAYERS.index(layer_of(table.name))]
        if upwards:
            raise GraphError(f"{table.name}: reads {some(upwards)}; data goes from bronze to silver to gold only")
    try:
        return list(TopologicalSorter({name: before(conf, tables, name) for name in tables}).static_order())
    except CycleError as error:
        raise GraphError(f"tables that wait for each other: {' -> '.join(error.args[1])}") from None


def before(conf: Conf, tables: Mapping[str, Table], name: str) -> list[str]:
    """Return what a run refreshes before a table: what it reads, and what its expectations look at."""
    waits_for = list(tables[name].upstream)
    for expectation in conf.expectations(name):
        if expectation.rule == "relationships" and expectation.to != name:
            waits_for.append(str(expectation.to))
        if expectation.rule == "sql":
            named = named_in(check_sql(conf, name, expectation), tables)
            waits_for += [other for other in named if other != name]
    return [other for other in dict.fromkeys(waits_for) if other in tables]


def check_sql(conf: Conf, name: str, expectation: Expectation) -> str:
    """Return the SQL of a table's singular check; raises ConfError where its file is not there."""
    pipeline, layer, table = name.split(".")
    path = conf.project / "jobs" / pipeline / layer / "checks" / f"{table}.{expectation.name}.sql"
    try:
        return path.read_text().strip().rstrip(";")
    except OSError:
        raise ConfError(f"{path}: no such file; wanted the SQL of {name}'s check {expectation.name!r}") from None


def named_in(text: str, tables: Mapping[str, Table]) -> list[str]:
    """Return the tables whose public name, such as ``shop_silver.orders``, stands in a SQL text."""
    return [name for name in tables if re.search(rf"\b{re.escape(sql_name(name))}\b", text)]


def renamed(text: str, name: str, to: str) -> str:
    """Return a SQL text with another name in place of a table's public one."""
    return re.sub(rf"\b{re.escape(sql_name(name))}\b", to, text)


def select(tables: Mapping[str, Table], *, layer: str | None = None, table: str | None = None) -> list[str]:
    """Return the names a run is limited to; a table may be named in full, or as ``silver.orders``."""
    if layer is not None and layer not in LAYERS:
        raise ConfError(f"layer: found {layer!r}; wanted one of {', '.join(LAYERS)}")
    if table is not None:
        found = [name for name in tables if table in (name, name.split(".", 1)[1])]
        if not found:
            raise ConfError(f"table: found {table!r}; wanted one of {', '.join(tables)}")
        return found
    return [name for name in tables if layer is None or layer_of(name) == layer]


def with_downstream(tables: Mapping[str, Table], chosen: Collection[str]) -> list[str]:
    """Return the chosen tables and all that depends on them, upstream first."""
    found = set(chosen)
    for name, table in tables.items():
        if found.intersection(table.upstream):
            found.add(name)
    return [name for name in tables if name in found]


def _table(conf: Conf, layer: str, path: Path) -> Table:
    name = f"{conf.name}.{layer}.{path.stem}"
    try:
        module = importlib.import_module(f"jobs.{name}")
    except (SyntaxError, ImportError) as error:
        raise DeclarationError(f"{path}: cannot be imported: {error}") from error
    table = getattr(module, "table", None)
    if not isinstance(table, Table):
        raise DeclarationError(
            f"{path}: found no table; wanted `table = Bronze(...)`, Silver, Mart, Aggregate or Derived"
        )
    table.name, table.doc = name, (module.__doc__ or "").strip()
    check_declaration(table)
    _check_reads(path)
    return table


def _check_reads(path: Path) -> None:
    """Refuse a module that reads tables by itself: what is not declared would be missing from graph and lineage."""
    for node in ast.walk(syntax.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in _READS:
            raise GraphError(
                f"{path}:{node.lineno}: found .{node.attr}, an undeclared read; wanted every input declared and "
                "taken as an argument"
            )


def _check_conf(conf: Conf, tables: Mapping[str, Table]) -> None:
    """Hold conf and tables against each other: sources, parameters, expectations."""
    where = f"conf/pipelines/{conf.name}.yaml"
    for table in tables.values():
        if isinstance(table, Bronze) and table.source not in conf.pipeline.sources:
            raise ConfError(f"{where}: sources: wanted {table.source!r}, which {table.name} takes in")
        lacking = [p for p in table.parameters if p != RUN_DATE and p not in conf.pipeline.parameters]
        if lacking:
            raise ConfError(f"{where}: parameters: wanted {some(lacking)}, which {table.name} takes")
    for short in conf.pipeline.refresh:
        if f"{conf.name}.{short}" not in tables:
            raise ConfError(f"{where}: refresh.{short}: no such table")
    for short, expectations in conf.pipeline.expectations.items():
        expected = tables.get(f"{conf.name}.{short}")
        if expected is None:
            raise ConfError(f"{where}: expectations.{short}: no table of that name")
        for expectation in expectations:
            _check_expectation(f"{where}: expectations.{short}: {expectation.label}", expectation, expected, tables)


def _check_expectation(where: str, expectation: Expectation, table: Table, tables: Mapping[str, Table]) -> None:
    _check_time(where, expectation, isinstance(table, Bronze))
    key = getattr(table, "key", ())
    if not set(expectation.by) <= set(key):
        raise ConfError(f"{where}: by: found {list(expectation.by)}; wanted columns of its key, {list(key)}")
    named = [(table, column) for column in (expectation.column, *expectation.columns) if column]
    to = expectation.to
    if to and to.split(".")[0] == table.name.split(".")[0]:
        if to not in tables:
            raise ConfError(f"{where}: no table {to}; wanted one of {', '.join(tables)}")
        named.append((tables[to], str(expectation.field)))
    for looked_at, column in named:
        if looked_at.columns and column not in looked_at.columns:
            raise ConfError(f"{where}: no column {column}; {looked_at.name} has {', '.join(looked_at.columns)}")


def _check_time(where: str, expectation: Expectation, is_bronze: bool) -> None:
    """Refuse what cannot be judged: bronze takes in what comes, and only then has a table rows to look at."""
    if is_bronze and expectation.rule not in TIME_RULES:
        raise ConfError(f"{where}: bronze keeps what comes as it comes; wanted one of {', '.join(TIME_RULES)}")
    if expectation.rule == "volume" and not is_bronze:
        raise ConfError(f"{where}: a volume is what a source delivers; wanted it of a bronze table")
    if expectation.rule == "freshness" and is_bronze and (expectation.column or expectation.severity != "warn"):
        raise ConfError(f"{where}: of bronze it is the newest delivery that counts; wanted no column, and no severity")
    if expectation.rule == "freshness" and not is_bronze and not expectation.column:
        raise ConfError(f"{where}: wanted a column that holds when something happened")


def _check_mart(table: Mart, tables: Mapping[str, Table]) -> None:
    """Refuse facts by which a refresh could not tell which of its rows a change upstream touches."""
    key = getattr(tables[table.driving], "key", ())
    if set(table.key) != set(key):
        raise DeclarationError(
            f"{table.name}: key={table.key}; wanted that of {table.driving}, its driving table: {key}"
        )
    known: list[str] = [table.driving]
    met = [(join.table, join.of, join.columns, getattr(tables[join.table], "key", ())) for join in table.joins]
    met += [(child, child, table.meets(child), key) for child in table.children]
    for name, of, columns, wanted in met:
        if of not in (*known, name):
            raise DeclarationError(f"{table.name}: {name} is met by {of}; wanted the driving table, or a lookup above")
        missing = [column for column in columns if column not in tables[of].columns]
        if missing or len(columns) != len(wanted):
            raise DeclarationError(
                f"{table.name}: {name} is met by {columns} of {of}; wanted columns of it that meet, in "
                f"that order, the key {wanted}"
            )
        known.append(name)


def _check_silver(table: Silver, tables: Mapping[str, Table]) -> None:
    """Refuse facts by which a refresh could not tell what a change upstream touches."""
    columns = list(table.columns)
    missing = [name for name in (*table.sequence, *table.parent) if name not in (*columns, *CARRIED)]
    if missing:
        raise DeclarationError(f"{table.name}: {missing} not among its columns {columns}")
    key = getattr(tables[table.reads], "key", ())
    if table.parent and set(table.parent) != set(key):
        raise DeclarationError(f"{table.name}: parent={table.parent}; wanted the key of {table.reads}: {key}")
    for lookup in table.lookups:
        mine, theirs = [*lookup.on], [*lookup.on.values()]
        if lookup.as_of:
            mine, theirs = [*mine, lookup.as_of[0]], [*theirs, lookup.as_of[1]]
        missing = [name for name in mine if name not in columns and not name.startswith("_lookup_")]
        if missing:
            raise DeclarationError(
                f"{table.name}: {missing} not among its columns {columns}; a lookup's own columns are declared, "
                "or start with _lookup_"
            )
        key = getattr(tables[lookup.table], "key", ())
        if set(theirs) != set(key):
            raise DeclarationError(
                f"{table.name}: looks up {lookup.table} by {theirs}; wanted its key, {list(key)}: one row at most"
            )
