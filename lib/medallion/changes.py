"""What changed in a table between two versions, from its change feed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medallion.lake import State
from medallion.session import from_arrow
from medallion.small import read_small_feed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Rows that are fetched to the driver rather than computed wherever they are used.
_FEW = 10_000


def feed(session: "SparkSession", state: State, after: int, until: int) -> "DataFrame":
    """Return the change feed of versions (after, until]: both images of an update."""
    small = read_small_feed(state.path, after, until)
    if small is not None:
        return from_arrow(session, small)
    reader = session.read.format("delta").option("readChangeFeed", "true")
    return reader.option("startingVersion", after + 1).option("endingVersion", until).load(state.path)


def at_hand(ids: "DataFrame") -> "DataFrame":
    """Return a few rows as a relation on the driver, so that plans built on them stay small; many as they are."""
    rows = ids.limit(_FEW + 1).toArrow()  # and back as Arrow: a list of rows would cost a Python worker
    return ids if rows.num_rows > _FEW else from_arrow(ids.sparkSession, rows)


def net(changes: "DataFrame", columns: Sequence[str]) -> "DataFrame":
    """Return the values of these columns that came or went on balance; what only moved technically is left out."""
    from pyspark.sql import functions as F

    came = F.col("_change_type").isin("insert", "update_postimage")
    return (
        changes.select(*columns, F.when(came, 1).otherwise(-1).alias("_sign"))
        .groupBy(*columns)
        .agg(F.sum("_sign").alias("_net"))
        .where("_net != 0")
        .drop("_net")
    )
