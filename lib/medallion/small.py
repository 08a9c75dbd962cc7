"""Small tables are read on the driver: milliseconds, where Spark takes several jobs before it sees the first row."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

SMALL_ROWS = 20_000  # which may take much fewer bytes
SMALL_BYTES = 2 * 1024 * 1024  # of Parquet


def read_small(table: "DeltaTable") -> "pa.Table | None":
    """Return a table's rows, all columns; None where there are too many to have them at hand."""
    from deltalake import QueryBuilder

    if not is_small(table):
        return None
    return _as_spark_knows(QueryBuilder().register("t", table).execute("SELECT * FROM t").read_all())


def read_feed(path: str, after: int, until: int) -> "pa.Table":
    """Return the change feed of versions (after, until]; for a small one, whose files mark no rows as deleted."""
    from deltalake import DeltaTable

    table = DeltaTable(path, version=until)
    return _as_spark_knows(table.load_cdf(starting_version=after + 1, ending_version=until).read_all())


def is_small(table: Any) -> bool:
    """Tell whether a table's rows are few enough to have them on the driver."""
    files = table.get_add_actions(flatten=True)
    rows, size = (files.column(name).to_pylist() for name in ("num_records", "size_bytes"))
    return None not in rows and sum(rows) <= SMALL_ROWS and sum(size) <= SMALL_BYTES


def _as_spark_knows(found: Any) -> "pa.Table":
    import pyarrow as pa

    rows = pa.table(found)
    return rows.cast(pa.schema([pa.field(field.name, _known(field.type)) for field in rows.schema]))


def _known(type_: Any) -> Any:
    """Return the type that Spark knows for one that only newer readers of Arrow do."""
    import pyarrow as pa

    if pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_uint64(type_):
        return pa.int64()
    if pa.types.is_binary_view(type_):
        return pa.binary()
    if pa.types.is_list(type_):
        return pa.list_(_known(type_.value_type))
    if pa.types.is_map(type_):
        return pa.map_(_known(type_.key_type), _known(type_.item_type))
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(field.name, _known(field.type)) for field in type_])
    return type_
