"""A pipeline's tables by name in Spark SQL, at the versions that passed: for notebooks, audits, ad hoc SQL."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from medallion import conf, gate, run
from medallion.lake import NO_VERSION
from medallion.session import Sessions, register
from medallion.step import Run
from medallion.tables import sql_name

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def connect(pipeline: str, overrides: Sequence[str] = ()) -> "SparkSession":
    """Return a Spark session in which the pipeline's tables are known as ``shop_gold.revenue``.

    They are views at the last good versions as of now, tombstones hidden, and are there for every
    session of the same Spark. Call it again to see newer versions.
    """
    loaded = conf.load(pipeline, overrides)
    session = Sessions(loaded).fresh()
    register(session, views(run.prepare(loaded)))
    return session


def views(prepared: Run) -> Iterator[tuple[str, str]]:
    """Yield the public name of each table that has a good version, and the SELECT behind it."""
    for name, table in prepared.tables.items():
        state = prepared.lake.state(name)
        if state is not None and state.good != NO_VERSION:
            yield sql_name(name), gate.select_statement(table, state, state.good)
