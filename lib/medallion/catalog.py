"""A pipeline's tables by name in Spark SQL, at the versions that passed: for notebooks, audits, ad hoc SQL."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from medallion import conf, gate, quiet, run
from medallion.errors import ConfError
from medallion.faults import point
from medallion.lake import NO_VERSION
from medallion.session import Sessions, register
from medallion.step import Run
from medallion.tables import Silver, sql_name
from medallion.views import history, names

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyspark.sql import SparkSession


def connect(pipeline: str, overrides: Sequence[str] = ()) -> "SparkSession":
    """Return a Spark session in which the pipeline's tables are known as ``shop_gold.revenue``.

    They are views at the last good versions as of now, tombstones hidden, and are there for every
    session of the same Spark. Call it again to see newer versions. Raises ConfError where there is no table yet.
    """
    loaded = conf.load(pipeline, overrides)
    known = list(views(run.prepare(loaded)))
    if not known:
        raise ConfError(
            f"{pipeline}: found no table in environment {loaded.environment}; wanted one to read: "
            f"`medallion run {pipeline}` makes them, MEDALLION_ENVIRONMENT names another environment"
        )
    with quiet.starting():
        session = Sessions(loaded, _say).fresh()
    point("catalog.before_views")
    register(session, known)
    point("catalog.after_views")
    return session


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # a notebook shows stderr as if something were wrong


def path(name: str, overrides: Sequence[str] = ()) -> str:
    """Return where a table is, for time travel in SQL: ``SELECT ... FROM delta.`{path}` VERSION AS OF 3``.

    A silver table holds tombstones too, where ``_deleted`` is true. Raises ConfError where there is no table of
    that full name, or none yet.
    """
    return names.existing(names.load(name, tuple(overrides)), name).path


def versions(name: str, overrides: Sequence[str] = (), limit: int = 20) -> "DataFrame":
    """Return a table's versions as a pandas DataFrame, newest first: one row a version.

    ``at`` is in UTC, ``standing`` is ``current`` for what readers see and ``good`` for what they saw before,
    ``rows`` counts what the version wrote, ``reads`` says what it was made from. Raises ConfError as `path` does.
    """
    import pandas

    found = history.of(names.load(name, tuple(overrides)), name, limit)
    columns = ("version", "at", "standing", "technique", "reason", "rows", "reads", "run_id")
    return pandas.DataFrame([_version(entry) for entry in found.entries], columns=list(columns))


def _version(entry: history.Entry) -> dict[str, Any]:
    import pandas

    rows = entry.rows or {}
    return {
        **asdict(entry),
        "at": pandas.Timestamp(entry.at),
        "rows": rows.get("stored", rows.get("written")),
        "reads": ", ".join(history.told(read) for read in entry.reads or ()),
    }


def views(prepared: Run) -> Iterator[tuple[str, str]]:
    """Yield the public name of each table that has a good version, and the SELECT behind it.

    A table that keeps versions of its rows has a second name, with ``_history``.
    """
    for name, table in prepared.tables.items():
        state = prepared.lake.state(name)
        if state is not None and state.good != NO_VERSION:
            yield sql_name(name), gate.select_statement(table, state, state.good)
            if isinstance(table, Silver) and table.keeps_versions:
                yield f"{sql_name(name)}_history", gate.history_statement(table, state, state.good)
