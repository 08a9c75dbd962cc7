"""The tables of a pipeline, found by their place, and the order in which they are refreshed."""

import ast
import importlib
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from medallion.conf import Conf
from medallion.errors import ConfError, DeclarationError, GraphError, some
from medallion.tables import RUN_DATE, Bronze, Table, check_declaration, layer_of

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
    return {name: tables[name] for name in order(tables)}


def order(tables: Mapping[str, Table]) -> list[str]:
    """Return the names so that every table comes after what it reads; raises GraphError for cycles and unknowns."""
    for table in tables.values():
        unknown = [name for name in table.upstream if name not in tables]
        if unknown:
            raise GraphError(f"{table.name}: reads {some(unknown)}, which is no table; known: {some(sorted(tables))}")
        upwards = [n for n in table.upstream if LAYERS.index(layer_of(n)) > LAYERS.index(layer_of(table.name))]
        if upwards:
            raise GraphError(f"{table.name}: reads {some(upwards)}; data goes from bronze to silver to gold only")
    try:
        return list(TopologicalSorter({name: table.upstream for name, table in tables.items()}).static_order())
    except CycleError as error:
        raise GraphError(f"tables that read each other: {' -> '.join(error.args[1])}") from None


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
    for node in ast.walk(ast.parse(path.read_text())):
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
    for short, expectations in conf.pipeline.expectations.items():
        expected = tables.get(f"{conf.name}.{short}")
        if expected is None or isinstance(expected, Bronze):
            raise ConfError(f"{where}: expectations.{short}: no silver or gold table of that name")
        for expectation in expectations:
            named = [c for c in (expectation.column, *expectation.columns) if c]
            unknown = [column for column in named if column not in expected.columns]
            if unknown:
                raise ConfError(
                    f"{where}: expectations.{short}: {expectation.label}: no column {some(unknown)}; "
                    f"{expected.name} has {', '.join(expected.columns)}"
                )
