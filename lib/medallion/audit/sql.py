"""SELECTs over one table at a version, without Spark; what comes back is Arrow's."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from medallion.audit.pins import Pin

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 2000  # values looked for in one SELECT
NEWEST = -1  # in place of a version: what is there just now, pinned or not


def table(pin: Pin, sql: str, version: int | None = None) -> "pa.Table":
    """Return the rows of a SELECT over a table, which it calls ``t``, at a version (None: what readers see)."""
    import pyarrow as pa
    from deltalake import DeltaTable, QueryBuilder

    at = pin.shown if version is None else version
    found = DeltaTable(pin.path, version=None if at == NEWEST else at)
    return pa.table(QueryBuilder().register("t", found).execute(sql).read_all())


def rows(pin: Pin, sql: str, version: int | None = None) -> list[dict[str, Any]]:
    """Return the same as a list of rows."""
    found: list[dict[str, Any]] = table(pin, sql, version).to_pylist()
    return found


def where_in(pin: Pin, columns: str, column: str, values: Iterable[str], version: int) -> Iterator[dict[str, Any]]:
    """Yield rows whose column, of hashes or ids, has one of the values."""
    wanted = sorted(set(values))
    for start in range(0, len(wanted), _AT_ONCE):
        told = ", ".join(literal(value) for value in wanted[start : start + _AT_ONCE])
        yield from rows(pin, f"SELECT {columns} FROM t WHERE {column} IN ({told})", version)


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def shown(row: dict[str, Any], columns: Iterable[str]) -> str:
    """Return a row's key for people: id=o1, line=2."""
    return ", ".join(f"{column}={row[column]}" for column in columns)
