"""Records of runs and of quality, appended after each run for people to read; nothing is decided from them.

``<ops root>/<pipeline>/runs`` has one row a step of a run, those skipped included;
``<ops root>/<pipeline>/quality`` one row an expectation and the version it was held against.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion import causes, clock, commits, lock, query
from medallion.conf import Conf
from medallion.errors import StorageError
from medallion.faults import point

if TYPE_CHECKING:
    import pyarrow as pa

    from medallion.run import Report
    from medallion.step import Run

RECENT_DAYS = 60  # what is older tells nothing of how a table fares
_PLACED = 'SELECT *, row_number() OVER (PARTITION BY "table" ORDER BY started_at DESC, run_id DESC) AS place FROM t'
RUNS = {
    "run_id": "string",
    "environment": "string",
    "started_at": "timestamp",  # of the run
    "run_seconds": "double",
    "table": "string",
    "status": "string",  # done, skipped, failed or blocked
    "technique": "string",
    "reason": "string",
    "version": "bigint",
    "rows": "string",  # JSON: the terms of the step's accounting equation
    "seconds": "double",
    "score": "double",  # 0 to 100: the share of rows that missed no expectation
    "error": "string",
}
QUALITY = {
    "run_id": "string",
    "started_at": "timestamp",
    "table": "string",
    "version": "bigint",
    "label": "string",
    "severity": "string",
    "failed": "bigint",  # rows that missed it
    "total": "bigint",
    "passed": "boolean",
    "example": "string",
    "score": "double",
}


MAINTENANCE = {
    "run_id": "string",
    "environment": "string",
    "started_at": "timestamp",
    "table": "string",
    "done": "string",  # in words
    "files_before": "bigint",  # of the newest version
    "files_after": "bigint",
    "bytes_before": "bigint",
    "bytes_after": "bigint",
    "rows_removed": "bigint",
    "files_freed": "bigint",  # data, changes and log
    "bytes_freed": "bigint",
    "error": "string",
}
TABLES = {"runs": RUNS, "quality": QUALITY, "maintenance": MAINTENANCE}
_MANY_FILES = 50  # of records, each run's a small one, that are worth to be written as one


@dataclass(frozen=True)
class Kept:
    """A table of records: how many files it has, and how many rows are older than conf keeps them."""

    name: str
    files: int
    old: int

    @property
    def is_due(self) -> bool:
        """Whether it is to be tidied."""
        return self.old > 0 or self.files >= _MANY_FILES


def kept(conf: Conf) -> list[Kept]:
    """Return how the tables of records stand; they are read by people alone, so nothing holds them."""
    from deltalake import DeltaTable

    old, found = _too_old(conf) or "false", []
    for name in TABLES:
        path = _path(conf, name)
        if _exists(path):
            (row,) = query.select(path, f"SELECT count(*) FILTER (WHERE {old}) AS old FROM t")
            found.append(Kept(name, len(DeltaTable(path).file_uris()), int(row["old"])))
    return found


def tidy(conf: Conf, run_id: str, name: str) -> None:
    """Remove records that are older than conf keeps them, and write the others as few files."""
    storage = conf.platform.storage.ops
    stays = storage.keep_versions or storage.keep_rows
    with writing(conf, run_id):
        commits.tidy(_path(conf, name), _too_old(conf), None if stays is None else stays.hours)


def _too_old(conf: Conf) -> str | None:
    """Return the condition that a record is older than conf keeps it; None where it keeps them for good."""
    keep = conf.platform.storage.ops.keep_rows
    if keep is None:
        return None
    at = (clock.now() - keep).isoformat()
    return f"""started_at < arrow_cast('{at}', 'Timestamp(Microsecond, Some("UTC"))')"""


def record_maintenance(conf: Conf, run_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append what maintenance did, a row a table."""
    told = {"run_id": run_id, "environment": conf.environment, "started_at": clock.now()}
    with writing(conf, run_id):
        _append(_path(conf, "maintenance"), MAINTENANCE, [{**told, **row} for row in rows])


def record(run: "Run", report: "Report") -> None:
    """Append what a run did and how its tables fared; waits for another process that records just now.

    Raises StorageError where that cannot be written; the tables stay as the run left them.
    """
    _recorded(run.conf, report)


def _recorded(conf: Conf, report: "Report") -> None:
    from deltalake.exceptions import DeltaError

    try:
        _record(conf, report)
    except (OSError, DeltaError) as error:
        raise StorageError(
            f"{_path(conf, '')}: run {report.run_id} {'passed' if report.passed else 'failed'}, but is not recorded: "
            f"{causes.told(error)}"
        ) from None


def _record(conf: Conf, report: "Report") -> None:
    started_at = datetime.fromisoformat(report.started_at)
    with writing(conf, report.run_id):
        point("ops.before_record")
        _append(_path(conf, "runs"), RUNS, _steps(report, started_at))
        point("ops.runs_recorded")
        _append(_path(conf, "quality"), QUALITY, _checks(report, started_at))
        point("ops.quality_recorded")


def record_unbegun(conf: Conf, run_id: str, error: str) -> None:
    """Append a run that ended before it had any table to tell of, under the pipeline's own name.

    Raises StorageError where that cannot be written.
    """
    from medallion.run import Report
    from medallion.step import Outcome

    told = Report(conf.name, run_id, conf.environment, clock.now().isoformat(), [Outcome(conf.name, "failed")])
    told.outcomes[0].error = error
    _recorded(conf, told)


def newest_steps(conf: Conf) -> list[dict[str, Any]]:
    """Return the newest step of each table, as it is recorded; under the pipeline's name that of a run without any."""
    return select(conf, "runs", f"SELECT * EXCEPT (place) FROM ({_PLACED} WHERE {{since}}) WHERE place = 1")


def newest_checks(conf: Conf) -> list[dict[str, Any]]:
    """Return every expectation's result of each table when it was last judged."""
    newest = 'SELECT "table" AS one, max(started_at) AS last FROM t WHERE {since} GROUP BY 1'
    return select(conf, "quality", f'SELECT t.* FROM t JOIN ({newest}) ON t."table" = one AND t.started_at = last')


def scores(conf: Conf, most: int) -> dict[str, list[tuple[float, int]]]:
    """Return the last quality scores of each table, and of how many rows; newest first, at most so many of each."""
    scored = f"{_PLACED} WHERE score IS NOT NULL AND {{since}}"
    rows = select(conf, "runs", f'SELECT "table", score, rows FROM ({scored}) WHERE place <= {most} ORDER BY place')
    found: dict[str, list[tuple[float, int]]] = {}
    for row in rows:
        found.setdefault(row["table"], []).append((row["score"], json.loads(row["rows"] or "{}").get("read", 0)))
    return found


def read(conf: Conf, name: str, days: int) -> list[dict[str, Any]]:
    """Return the records of ``runs``, ``quality`` or ``alerts`` of the last days, oldest first."""
    since = clock.now() - timedelta(days=days)
    return select(conf, name, "SELECT * FROM t WHERE {since} ORDER BY started_at", since)


def last_runs(conf: Conf, limit: int) -> list[dict[str, Any]]:
    """Return the newest runs, newest first: when, how long, and how many tables ended how."""
    path = _path(conf, "runs")
    if not _exists(path):
        return []
    counts = ", ".join(
        f"count(*) FILTER (WHERE status IN ({statuses})) AS {name}"
        for name, statuses in (
            ("done", "'done'"),
            ("skipped", "'skipped'"),
            ("failed", "'failed', 'blocked'"),
        )
    )
    runs = query.select(
        path,
        f"SELECT run_id, environment, started_at, max(run_seconds) AS seconds, {counts} FROM t "
        f"GROUP BY run_id, environment, started_at ORDER BY started_at DESC, run_id DESC LIMIT {limit}",
    )
    return [{**run, "passed": run["failed"] == 0} for run in runs]


def last_steps(conf: Conf) -> list[dict[str, Any]]:
    """Return of each table the last turn that it had in a run: when, and how it ended."""
    return _newest(conf, "runs", ("run_id", "started_at", "table", "status", "technique", "seconds"), ("table",), 1)


def last_checks(conf: Conf, limit: int) -> list[dict[str, Any]]:
    """Return the newest results of each expectation, newest first; no examples."""
    columns = ("run_id", "started_at", "table", "version", "label", "severity", "failed", "total", "passed")
    return _newest(conf, "quality", columns, ("table", "label"), limit)


def _newest(conf: Conf, name: str, columns: Sequence[str], by: Sequence[str], limit: int) -> list[dict[str, Any]]:
    path = _path(conf, name)
    if not _exists(path):
        return []
    wanted, each = query.quoted(columns), query.quoted(by)
    place = f"row_number() OVER (PARTITION BY {each} ORDER BY started_at DESC, run_id DESC)"
    placed = f"SELECT {wanted}, {place} AS place FROM t"
    return query.select(
        path, f"SELECT {wanted} FROM ({placed}) WHERE place <= {limit} ORDER BY started_at DESC, run_id DESC"
    )


def _steps(report: "Report", started_at: datetime) -> list[dict[str, Any]]:
    return [
        {
            "run_id": report.run_id,
            "environment": report.environment,
            "started_at": started_at,
            "run_seconds": report.seconds,
            "table": outcome.table,
            "status": outcome.status,
            "technique": outcome.technique,
            "reason": outcome.reason,
            "version": outcome.version,
            "rows": json.dumps(dict(outcome.rows)),
            "seconds": outcome.seconds,
            "score": outcome.score,
            "error": outcome.error,
        }
        for outcome in report.outcomes
    ]


def _checks(report: "Report", started_at: datetime) -> list[dict[str, Any]]:
    return [
        {
            "run_id": report.run_id,
            "started_at": started_at,
            "table": outcome.table,
            "version": outcome.version,
            "label": check.label,
            "severity": check.severity,
            "failed": check.failed,
            "total": check.total,
            "passed": check.passed,
            "example": check.shown,
            "score": outcome.score,
        }
        for outcome in report.outcomes
        for check in outcome.checks
    ]


def select(conf: Conf, name: str, sql: str, since: datetime | None = None) -> list[dict[str, Any]]:
    """Return rows of a SELECT over one table of records, of the last days alone."""
    path = _path(conf, name)
    if not _exists(path):
        return []
    at = (since or clock.now() - timedelta(days=RECENT_DAYS)).isoformat()
    return query.select(path, sql.format(since=f"started_at >= to_timestamp_micros('{at}')"))


def append(conf: Conf, name: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows to one table of a pipeline's records."""
    _append(_path(conf, name), columns, rows)


def _append(path: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa

    if rows:
        commits.record(path, pa.Table.from_pylist(list(rows), schema=_schema(columns)))


def _schema(columns: Mapping[str, str]) -> "pa.Schema":
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "double": pa.float64(),
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, types[type_]) for name, type_ in columns.items()])


def _path(conf: Conf, name: str) -> str:
    return f"{conf.root('ops')}/{conf.name}/{name}"


def _exists(path: str) -> bool:
    from deltalake import DeltaTable

    return bool(DeltaTable.is_deltatable(path))


def writing(conf: Conf, run_id: str) -> AbstractContextManager[None]:
    """Hold the lock of a pipeline's records; another process that has it is waited for."""
    return lock.writing(lock.patient(conf), f"{conf.name}.ops.runs", run_id)
