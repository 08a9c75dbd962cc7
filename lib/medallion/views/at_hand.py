"""What views that ask Spark begin with: a run of which nothing is written, and a session."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from medallion import run as runs
from medallion.conf import Conf
from medallion.errors import ConfError
from medallion.session import Sessions
from medallion.step import Run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def prepared(conf: Conf, table: str) -> Run:
    """Return the pipeline's tables, as for a run; raises ConfError where none has that full name."""
    run = runs.prepare(conf)
    if table not in run.tables:
        raise ConfError(f"{table}: no such table; wanted one of {', '.join(run.tables)}")
    return run


@contextmanager
def session_of(conf: Conf, sessions: Sessions | None) -> "Iterator[SparkSession]":
    """Give a session of ``sessions``, which stay, or of a Spark that ends afterwards."""
    own = sessions or Sessions(conf)
    try:
        yield own.fresh()
    finally:
        if sessions is None:
            own.stop()
