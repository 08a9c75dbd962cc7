"""What changed in a table between two versions, from its change feed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medallion import log_files
from medallion.lake import State
from medallion.session import from_arrow
from medallion.small import read_feed
from medallion.tables import Table, seen

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

# Bytes of a change feed that is read on the driver.
FEED_BYTES = 16 * 1024 * 1024
# Rows that are fetched to the driver rather than computed wherever they are used.
_FEW = 10_000


def feed(session: "SparkSession", state: State, after: int, until: int) -> "DataFrame":
    """Return the change feed of versions (after, until]: both images of an update."""
    small = _small(state, after, until)
    if small is not None:
        return from_arrow(session, small)
    reader = session.read.format("delta").option("readChangeFeed", "true")
    return reader.option("startingVersion", after + 1).option("endingVersion", until).load(state.path)


def few(table: Table, state: State, after: int, until: int) -> "pa.Table | None":
    """Return what `balance` does of a small feed's `images`, on the driver; None where it takes Spark."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fed = _small(state, after, until)
    if fed is None:
        return None
    for column, wanted in (("_deleted", False), ("is_current", True)):
        if seen(table) and column in (seen(table) or "").split():
            fed = fed.filter(pc.equal(fed.column(column), wanted))
    came = pc.is_in(fed.column("_change_type"), pa.array(["insert", "update_postimage"]))
    signed = fed.select(list(table.columns)).append_column("_sign", pc.if_else(came, 1, -1))
    try:
        summed = signed.group_by(list(table.columns), use_threads=False).aggregate([("_sign", "sum")])
    except pa.ArrowNotImplementedError:  # lists and structures are no keys to it
        return None
    moved = summed.filter(pc.not_equal(summed.column("_sign_sum"), 0))
    return moved.rename_columns([*table.columns, "_net"])


def _small(state: State, after: int, until: int) -> "pa.Table | None":
    files = log_files.feed_files(state.path, after, until)
    is_small = files is not None and files.bytes <= FEED_BYTES and not files.has_vectors
    return read_feed(state.path, after, until) if is_small else None


def images(table: Table, fed: "DataFrame") -> "DataFrame":
    """Return a feed's rows as readers saw them, declared columns only, with ``_sign``: 1 for one that came, else -1."""

    condition = seen(table)
    visible = fed.where(condition) if condition else fed
    return visible.select(*table.columns, _sign().alias("_sign"))


def at_hand(ids: "DataFrame") -> "DataFrame":
    """Return a few rows as a relation on the driver, so that plans built on them stay small; many as they are."""
    rows = ids.limit(_FEW + 1).toArrow()  # and back as Arrow: a list of rows would cost a Python worker
    return ids if rows.num_rows > _FEW else from_arrow(ids.sparkSession, rows)


def net(changes: "DataFrame", columns: Sequence[str]) -> "DataFrame":
    """Return the values of these columns that came or went on balance; what only moved technically is left out."""
    return balance(changes.select(*columns, _sign().alias("_sign")), columns).drop("_net")


def balance(signed: "DataFrame", columns: Sequence[str]) -> "DataFrame":
    """Return the values of these columns that came or went on balance, and in ``_net`` how often: below 0 if gone."""
    from pyspark.sql import functions as F

    return signed.groupBy(*columns).agg(F.sum("_sign").alias("_net")).where("_net <> 0")


def _sign() -> "Column":
    from pyspark.sql import functions as F

    return F.when(F.col("_change_type").isin("insert", "update_postimage"), 1).otherwise(-1)
