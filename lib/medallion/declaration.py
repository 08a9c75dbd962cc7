"""Whether a table's facts and its function fit each other."""

import inspect

from medallion.errors import DeclarationError
from medallion.tables import INTERVAL, Aggregate, Bronze, Derived, Silver, Table, Transform, layer_of


def check_declaration(table: Table) -> None:
    """Raise DeclarationError where a table's facts and its function do not fit each other."""
    if isinstance(table, Bronze):
        return
    if not isinstance(table, Aggregate) and table.function is None:
        raise DeclarationError(f"{table.name}: no function; wanted one below @table.transform")
    if not table.key:
        raise DeclarationError(f"{table.name}: no key; wanted the columns that make a row unique")
    if table.function is not None:
        taken = len(_positional(table.function))
        if taken != len(table.inputs):
            raise DeclarationError(
                f"{table.name}: its function takes {taken} tables, but {len(table.inputs)} are declared "
                f"({', '.join(table.inputs)}); declare what it reads, in the order it takes them"
            )
    missing = [column for column in table.key if column not in table.columns]
    if isinstance(table, Aggregate):
        missing += [name for name in table.measures if name not in table.columns]
        _check_measures(table)
    if isinstance(table, Derived):
        missing += [name for name in table.partition if name not in table.columns]
    missing += [name for name in table.personal if name not in table.columns]
    if missing:
        raise DeclarationError(f"{table.name}: {missing} not among its columns {list(table.columns)}")
    if isinstance(table, Silver):
        _check_silver(table)


def _check_measures(table: Aggregate) -> None:
    for name, measure in table.measures.items():
        where = f"{table.name}: measure {name}: kind {measure.kind}"
        if (measure.by is not None) != (measure.kind in ("first", "last")):
            raise DeclarationError(f"{where}, by={measure.by!r}; wanted by=, what orders the rows, for first and last")
        if (measure.at is not None) != (measure.kind == "percentile") or not 0 <= (measure.at or 0) <= 1:
            raise DeclarationError(f"{where}, at={measure.at!r}; wanted at=, a share from 0 to 1, for a percentile")


def _check_silver(table: Silver) -> None:
    if layer_of(table.reads) == "silver" and not table.parent:
        raise DeclarationError(f"{table.name}: reads {table.reads}; wanted parent=, the parent's key in its rows")
    reserved = [name for name in (INTERVAL if table.keeps_versions else ["is_current"]) if name in table.columns]
    if reserved:
        raise DeclarationError(f"{table.name}: found columns {reserved}, which the engine adds; wanted other names")
    if not table.keeps_versions:
        return
    if table.parent:
        raise DeclarationError(
            f"{table.name}: history='scd2' with parent=; wanted scd1: its rows are replaced with the parent's version"
        )
    ordering = table.sequence[0] if table.sequence else None
    if ordering is None or table.columns.get(ordering, ("",))[0] not in ("date", "timestamp"):
        raise DeclarationError(
            f"{table.name}: history='scd2' with sequence={table.sequence}; wanted a date or timestamp among its "
            "columns first, since when a version holds"
        )


def _positional(function: Transform) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, p in inspect.signature(function).parameters.items() if p.kind in kinds]
