"""Reads tables without Spark, in milliseconds, for people to look at; nothing is decided from it."""

from collections.abc import Sequence
from typing import Any

from medallion.errors import ConfError, HistoryError
from medallion.output import in_a_line

Row = dict[str, Any]


def select(path: str, sql: str, version: int | None = None) -> list[Row]:
    """Return the rows of a SELECT over one table, which it calls ``t``, at a version (None: the newest).

    Deletion vectors are minded. Raises HistoryError where the version's files are gone.
    """
    from deltalake import DeltaTable, QueryBuilder

    try:
        found = QueryBuilder().register("t", DeltaTable(path, version=version)).execute(sql).read_all()
    except Exception as error:
        if "Object Store error" not in str(error):
            raise
        raise HistoryError(f"{path}: some of its files are gone at version {version}; wanted a later one") from error
    columns = [found.column(name).to_pylist() for name in found.column_names]
    return [dict(zip(found.column_names, values, strict=True)) for values in zip(*columns, strict=True)]


def columns_at(path: str, version: int) -> list[str]:
    """Return the names of a table's columns at a version, technical ones included."""
    return list(types_at(path, version))


def types_at(path: str, version: int) -> dict[str, str]:
    """Return a table's columns at a version with their types as Delta has them: date, timestamp, struct."""
    from deltalake import DeltaTable

    fields = DeltaTable(path, version=version).schema().fields
    return {field.name: str(getattr(field.type, "type", "nested")) for field in fields}


def chosen(wanted: Sequence[str], known: Sequence[str], name: str) -> list[str]:
    """Return the wanted columns; raises ConfError for one that the table does not have."""
    unknown = [column for column in wanted if column not in known]
    if unknown:
        told = in_a_line(", ".join(unknown))
        raise ConfError(f"{name}: no column {told}; wanted some of {', '.join(known)}")
    return list(wanted)


def quoted(columns: Sequence[str]) -> str:
    """Return column names as SQL, whatever is in them."""
    return ", ".join('"' + column.replace('"', '""') + '"' for column in columns)


def seen(columns: Sequence[str]) -> str:
    """Return the WHERE clause for what readers see of a table with these columns: newest versions, no tombstones."""
    if "_deleted" not in columns:
        return ""
    return "WHERE is_current AND NOT _deleted" if "is_current" in columns else "WHERE NOT _deleted"
