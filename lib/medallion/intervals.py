"""The history of rows: each version of a key with the interval in which it held, rebuilt for the keys that are touched.

A version holds from the first column of its sequence until that of the next one. The intervals follow from the set
of a key's versions alone, so any order of arrival gives the same history. Equal neighbours stay two versions: one
that arrives late may come between them.
"""

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from medallion.outcomes import ADJUSTED, is_valid, version_of
from medallion.tables import INTERVAL, Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_VERSION = ("_record_id", "_ordinal")


def of_all(table: Silver, rows: "DataFrame") -> "DataFrame":
    """Return judged rows with interval and ``_outcome`` where they are all there is: each valid one is written."""
    from pyspark.sql import functions as F

    outcome = F.when(is_valid(), "written").otherwise(F.col("_verdict"))
    return _spaced(table, rows).withColumns({"_outcome": outcome, "_displaced": F.lit(False)})


def rebuilt(
    table: Silver, rows: "DataFrame", columns: Sequence[str], stored: "DataFrame", *, again: bool
) -> "DataFrame":
    """Return judged rows with interval and ``_outcome``, and stored versions that these give another interval.

    ``again`` says that some records were judged before: these take the place of what is stored of them.
    """
    from pyspark.sql import functions as F

    stored = stored.withColumns({"_was": F.struct(*columns), "_is_stored": F.lit(True), "_verdict": F.lit("valid")})
    held = stored.join(rows.where(is_valid()).select(*table.key).distinct(), on=list(table.key), how="semi")
    rows = rows.withColumn("_is_stored", F.lit(False))
    if again:
        held = held.join(rows.select(*_VERSION), on=list(_VERSION), how="anti")
        rows = rows.join(stored.select(*_VERSION, "_was"), on=list(_VERSION), how="left")
    versions = _spaced(table, rows.unionByName(held, allowMissingColumns=True))
    was = F.col("_was")
    is_same = reduce(lambda a, b: a & b, [F.col(c).eqNullSafe(was[c]) for c in columns])
    outcome = (
        F.when(~is_valid(), F.col("_verdict"))
        .when(was.isNotNull() & is_same, "unchanged")
        .otherwise(F.when(F.col("_is_stored"), ADJUSTED).otherwise("written"))
    )
    displaced = ~is_valid() & was.isNotNull() & ~F.coalesce(was["_deleted"], F.lit(False))
    versions = versions.withColumns({"_outcome": outcome, "_displaced": displaced})
    return versions.where("NOT _is_stored OR _outcome != 'unchanged'").drop("_was", "_is_stored")


def _spaced(table: Silver, versions: "DataFrame") -> "DataFrame":
    """Give each version the interval until the next valid one of its key."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    since = table.sequence[0]
    following = F.lead(since).over(Window.partitionBy(*table.key, is_valid()).orderBy(*version_of(table)))
    return versions.withColumns(dict(zip(INTERVAL, (F.col(since), following, following.isNull()), strict=True)))
