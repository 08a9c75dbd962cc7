"""What changed in a table between two versions, from its change feed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medallion import log_files
from medallion.account import Mark
from medallion.lake import State
from medallion.session import from_arrow
from medallion.small import read_feed
from medallion.tables import Table, marks, seen

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

# Bytes of a change feed that is read on the driver.
FEED_BYTES = 16 * 1024 * 1024
_CAME = ("insert", "update_postimage")  # kinds of change whose image came; those of others went


def feed(session: "SparkSession", state: State, after: int, until: int) -> "DataFrame":
    """Return the change feed of versions (after, until]: both images of an update."""
    small = _small(state, after, until)
    return _by_spark(session, state, after, until) if small is None else from_arrow(session, small)


def moved(session: "SparkSession", table: Table, state: State, mark: Mark) -> "pa.Table | DataFrame":
    """Return a table's rows that came or went on balance since a mark, with ``_net`` (see `balance`).

    Those of a small feed are told on the driver.
    """
    small = _small(state, mark.since, mark.version)
    if small is not None:
        import pyarrow as pa

        try:
            return _balance_of_few(table, small)
        except pa.ArrowNotImplementedError:  # lists and structures are no keys to it
            fed = from_arrow(session, small)
    else:
        fed = _by_spark(session, state, mark.since, mark.version)
    return balance(images(table, fed), list(table.columns))


def images(table: Table, fed: "DataFrame") -> "DataFrame":
    """Return a feed's rows as readers saw them, declared columns only, with ``_sign``: 1 for one that came, else -1."""
    condition = seen(table)
    visible = fed.where(condition) if condition else fed
    return visible.select(*table.columns, _sign().alias("_sign"))


def _by_spark(session: "SparkSession", state: State, after: int, until: int) -> "DataFrame":
    reader = session.read.format("delta").option("readChangeFeed", "true")
    return reader.option("startingVersion", after + 1).option("endingVersion", until).load(state.path)


def _small(state: State, after: int, until: int) -> "pa.Table | None":
    files = log_files.feed_files(state.path, after, until)
    is_small = files is not None and files.bytes <= FEED_BYTES and not files.has_vectors
    return read_feed(state.path, after, until) if is_small else None


def _balance_of_few(table: Table, fed: "pa.Table") -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    for mark, wanted in marks(table).items():
        fed = fed.filter(pc.equal(fed.column(mark), wanted))
    came = pc.is_in(fed.column("_change_type"), pa.array(_CAME))
    signed = fed.select(list(table.columns)).append_column("_sign", pc.if_else(came, 1, -1))
    summed = signed.group_by(list(table.columns), use_threads=False).aggregate([("_sign", "sum")])
    return summed.filter(pc.not_equal(summed.column("_sign_sum"), 0)).rename_columns([*table.columns, "_net"])


def came(fed: "DataFrame", key: Sequence[str]) -> "DataFrame":
    """Return the newest image of each key in a feed; none of a key that went with the last commit that touched it."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    last = Window.partitionBy(*key).orderBy(F.desc("_commit_version"), F.desc("_sign"))
    ranked = fed.withColumn("_sign", _sign()).withColumn("_place", F.row_number().over(last))
    return ranked.where("_place = 1 AND _sign = 1").drop("_sign", "_place")


def net(changes: "DataFrame", columns: Sequence[str]) -> "DataFrame":
    """Return the values of these columns that came or went on balance; what only moved technically is left out."""
    return balance(changes.select(*columns, _sign().alias("_sign")), columns).drop("_net")


def balance(signed: "DataFrame", columns: Sequence[str]) -> "DataFrame":
    """Return the values of these columns that came or went on balance, and in ``_net`` how often: below 0 if gone."""
    from pyspark.sql import functions as F

    return signed.groupBy(*columns).agg(F.sum("_sign").alias("_net")).where("_net <> 0")


def _sign() -> "Column":
    from pyspark.sql import functions as F

    return F.when(F.col("_change_type").isin(*_CAME), 1).otherwise(-1)
