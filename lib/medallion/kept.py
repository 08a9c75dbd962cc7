"""Rows of silver whose records bronze has let go (`keep_rows`): a refresh in full cannot make them, so it keeps them.

They stay as they are, with null in columns that are new; records that are there win against them by their sequence.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medallion import gate, intervals, outcomes
from medallion.lake import State
from medallion.outcomes import ADJUSTED
from medallion.tables import Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def removed_through(bronze: State) -> int:
    """Return the delivery up to which a bronze table has let go of records; 0 where it has all."""
    return bronze.account.removed_through if bronze.account else 0


def stored(session: "SparkSession", table: Silver, state: State | None, bronze: State) -> "DataFrame | None":
    """Return the rows of a table that may have to be kept; None where bronze has all, or the table keeps none.

    Rows of a table with a parent are made of that one's rows, which are there.
    """
    through = removed_through(bronze)
    if not through or table.parent or state is None:
        return None
    return gate.read_version(session, state, state.data).where(f"_delivery <= {through}")


def sorted_out(
    table: Silver, rows: "DataFrame", columns: Sequence[str], old: "DataFrame", records: "DataFrame"
) -> "DataFrame":
    """Return judged rows of all ``records`` with ``_outcome``, and those of ``old`` whose record is not among them."""
    from pyspark.sql import functions as F

    gone = old.join(records.select("_record_id"), on="_record_id", how="anti")
    types = {field.name: field.dataType for field in (*old.schema.fields, *rows.schema.fields)}
    gone = gone.select(
        [(F.col(c).try_cast(types[c]) if c in old.columns else F.lit(None).cast(types[c])).alias(c) for c in columns]
    )
    versions = intervals.rebuilt if table.keeps_versions else outcomes.against_stored
    found = versions(table, rows, columns, gone, again=False)
    written = found.where(f"_outcome IN ('written', '{ADJUSTED}')").select(*table.stored_key)
    left = gone.join(written, on=list(table.stored_key), how="anti")
    left = left.withColumns({"_outcome": F.lit(ADJUSTED), "_displaced": F.lit(False)})
    return found.unionByName(left, allowMissingColumns=True)
