"""A pipeline's tables by name in Spark SQL, at the versions that passed: for notebooks, audits, ad hoc SQL."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion import conf, gate, quiet, run
from medallion.account import NO_VERSION
from medallion.errors import ConfError
from medallion.faults import point
from medallion.graph import renamed
from medallion.lake import State
from medallion.session import Sessions, register
from medallion.step import Run
from medallion.tables import Silver, sql_name
from medallion.trace.versions import cut_of_run, good_at
from medallion.views import diff as diffs
from medallion.views import history, names
from medallion.views import trace as traces
from medallion.views.diff import Diff
from medallion.views.trace import Trace

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyspark.sql import DataFrame as SparkFrame
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


@dataclass(frozen=True)
class Cut:
    """A pipeline's tables as a run left them, or as they stand: the versions, and a session to ask them by SQL."""

    session: "SparkSession"
    versions: dict[str, int]
    suffix: str

    def sql(self, text: str) -> "SparkFrame":
        """Return the rows of a SELECT, in which ``shop_gold.revenue`` is that table as it was."""
        for name in self.versions:
            text = renamed(text, name, self._view(name))
        return self.session.sql(text)

    def table(self, name: str) -> "SparkFrame":
        """Return a table as it was, by its full name; raises ConfError where it was not there yet."""
        if name not in self.versions:
            raise ConfError(f"{name}: not in this cut; wanted one of {', '.join(self.versions)}")
        return self.session.table(self._view(name))

    def _view(self, name: str) -> str:
        return f"{sql_name(name).replace('.', '__')}__{self.suffix}"


def as_of(pipeline: str, at: str | None = None, overrides: Sequence[str] = (), sessions: Sessions | None = None) -> Cut:
    """Open a pipeline's tables as a run left them, all of one cut, or as they stand where none is named.

    As temporary views of one session: whatever others read meanwhile stays as it is. Raises ConfError where no table
    has a commit of that run.
    """
    loaded = conf.load(pipeline, overrides)
    prepared = run.prepare(loaded)
    cut_at = None if at is None else cut_of_run(prepared.lake, pipeline, prepared.tables, at)
    found: dict[str, State] = {}
    for name in prepared.tables if cut_at is None else cut_at:
        state = good_at(prepared.lake, name, cut_at[name] if cut_at else None)
        if state is not None:
            found[name] = state
    with quiet.starting():
        session = (sessions or Sessions(loaded, _say)).fresh()
    cut = Cut(session, {name: state.version for name, state in found.items()}, "then" if at else "now")
    for name, state in found.items():
        select = gate.select_statement(prepared.tables[name], state, state.version)
        session.sql(select).createOrReplaceTempView(cut._view(name))
    return cut


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # a notebook shows stderr as if something were wrong


def path(name: str, overrides: Sequence[str] = ()) -> str:
    """Return where a table is, for time travel in SQL: ``SELECT ... FROM delta.`{path}` VERSION AS OF 3``.

    A silver table holds tombstones too, where ``_deleted`` is true. Raises ConfError where there is no table of
    that full name, or none yet.
    """
    return names.existing(names.load(name, tuple(overrides)), name).path


def trace(
    name: str, *, at: str | None = None, verify: bool = False, overrides: Sequence[str] = (), **where: Any
) -> Trace:
    """Return what rows of a table were made of, down to their payloads; a notebook shows it as a page.

    ``where`` pairs columns with values, None for a null; see `medallion.views.trace.of`, also for what it raises.
    """
    loaded = names.load(name, tuple(overrides))
    told = {column: "null" if value is None else str(value) for column, value in where.items()}
    return traces.of(loaded, traces.Question(name, told, at, verify), Sessions(loaded, _say))


def diff(name: str, before: str | int, after: str | int, *, why: bool = False, overrides: Sequence[str] = ()) -> Diff:
    """Return what differs between two versions of a table, or as two runs left it; see `medallion.views.diff.of`."""
    loaded = names.load(name, tuple(overrides))
    return diffs.of(loaded, diffs.Question(name, str(before), str(after), why), Sessions(loaded, _say))


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
