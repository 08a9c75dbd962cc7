"""The one door to Delta commits: each carries its account, is safe to repeat, and is looked at afterwards."""

import datetime as dt
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from medallion.account import GOING, GONE, KEYS, NO_VERSION, Account
from medallion.errors import CommitError
from medallion.faults import point
from medallion.lake import Lake, State
from medallion.tables import backquoted

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger(__name__)

_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_TXN_APP = "spark.databricks.delta.write.txnAppId"
_TXN_VERSION = "spark.databricks.delta.write.txnVersion"
_FILE_SIZES = ("spark.databricks.delta.optimize.minFileSize", "spark.databricks.delta.optimize.maxFileSize")
_NOTE = "medallion.run"  # a table property; setting it is the cheapest commit that changes no rows

# Both keep their changes cheap: vectors instead of rewritten files, a feed for whoever follows.
CURATED = {
    "delta.enableDeletionVectors": "true",
    "delta.enableChangeDataFeed": "true",
    "delta.enableInCommitTimestamps": "true",
}
APPEND_ONLY = {
    "delta.appendOnly": "true",
    # What is looked for by range; payloads and keys would cost time, and stay in the log when a person is erased.
    "delta.dataSkippingStatsColumns": "_batch_id,_delivery,_received_at,_ingested_at",
    "delta.enableChangeDataFeed": "true",
    "delta.enableInCommitTimestamps": "true",
}


# From so many bytes on, rows are replaced by key instead of merged: see `merge`.
LARGE_BYTES = 16 * 1024 * 1024

# Said as `good` in the account of a commit that was judged beforehand: it is good itself.
SAME_COMMIT = -2


@dataclass(frozen=True)
class Target:
    """A table about to be written: its state as planned on (None: to be created), and how it is created."""

    name: str
    state: State | None
    properties: Mapping[str, str]

    @property
    def next_version(self) -> int:
        """The version that the planned commit will have."""
        return self.state.version + 1 if self.state else 0

    def dated(self, account: Account) -> Account:
        """Return the account of a commit that changes rows: its own version is the table's data now."""
        good = self.next_version if account.good == SAME_COMMIT else account.good
        return replace(account, data=self.next_version, good=good)


def append(lake: Lake, target: Target, frame: "DataFrame", account: Account) -> Account:
    """Append rows in one commit and return its account; creates the table where there is none.

    Raises CommitError if the newest commit is not this one afterwards.
    """
    return _write(lake, target, frame, account, mode="append")


def overwrite(lake: Lake, target: Target, frame: "DataFrame", account: Account) -> Account:
    """Replace all rows, and the columns if they changed, in one commit; see `append`."""
    return _write(lake, target, frame, account, mode="overwrite", overwriteSchema="true")


@dataclass(frozen=True)
class Match:
    """Which target row a source row of a MERGE meets: all keys agree, nulls meeting nulls.

    ``within`` says between which values a key of the source lies, so that files without any are passed over; the ends
    stay in the log. With ``only_changed`` MERGE leaves a row alone that would be as it is already. ``gone_first`` says
    that what is gone may go in a commit before: readers are kept at an earlier version meanwhile, by the table's gate.
    """

    keys: Sequence[str]
    within: Mapping[str, Sequence[tuple[Any, Any]]] = field(default_factory=dict)
    only_changed: bool = False
    gone_first: bool = False

    @property
    def condition(self) -> str:
        """The condition in SQL, of a target ``t`` and a source ``s``; ranges as literals: MERGE takes no parameters."""
        told = [f"t.{key} <=> s.{key}" for key in map(backquoted, self.keys)]
        for key, found in self.within.items():
            ends = [f"t.{backquoted(key)} BETWEEN {_literal(low)} AND {_literal(high)}" for low, high in found]
            told.append(f"({' OR '.join(ends)})")
        return " AND ".join(told)


def merge(lake: Lake, target: Target, source: "DataFrame", match: Match, account: Account) -> Account:
    """Update rows that meet a source row, and insert the others, in one commit.

    A source column ``_gone`` that is true deletes the row it meets instead. ``source`` has one row a key, and all
    columns. The rows of a large table are replaced (`_replace`): MERGE would shuffle all of its columns and rows to
    find out what is new. What is to be deleted there goes before, in a commit of its own (`_take_away`), where
    ``match`` allows that; else it takes MERGE.
    """
    if target.state is None:
        return append(lake, target, source.where("not _gone").drop("_gone"), account)
    upserts = "_gone" not in source.columns
    may_replace = upserts or match.gone_first
    if may_replace and lake.size(target.name) >= LARGE_BYTES and lake.marks_deleted(target.name):
        if not upserts:
            target = _take_away(lake, target, source.where("_gone"), match, account)
            source = source.where("NOT _gone").drop("_gone")
        return _replace(lake, target, source, match, account)
    columns = [backquoted(column) for column in source.columns if column != "_gone"]
    differs = " OR ".join(f"NOT t.{column} <=> s.{column}" for column in columns)
    if_changed = f"AND ({differs})" if match.only_changed else ""
    sets = ", ".join(f"t.{column} = s.{column}" for column in columns)
    names, values = (", ".join(f"{prefix}{column}" for column in columns) for prefix in ("", "s."))
    deletes, inserts = "", ""
    if not upserts:
        deletes, inserts = "WHEN MATCHED AND s._gone THEN DELETE", "AND NOT s._gone"
    clauses = (
        f"{deletes} WHEN MATCHED {if_changed} THEN UPDATE SET {sets} "
        f"WHEN NOT MATCHED {inserts} THEN INSERT ({names}) VALUES ({values})"
    )
    return _merged(lake, target, source, match, clauses, account)


def _merged(lake: Lake, target: Target, source: "DataFrame", match: Match, clauses: str, account: Account) -> Account:
    """Commit a MERGE of a source ``s`` into a target ``t``."""
    session = source.sparkSession
    source.createOrReplaceTempView("_merge_source")
    done = target.dated(account)
    into = f"delta.{backquoted(lake.path(target.name))}"
    point("commits.before_merge")
    with _answered(lake, target, done), _as_transaction(session, target, done):
        session.sql(f"MERGE INTO {into} t USING _merge_source s ON {match.condition} {clauses}").collect()
    point("commits.after_merge")
    session.catalog.dropTempView("_merge_source")
    return _check(lake, target, done)


def _take_away(lake: Lake, target: Target, gone: "DataFrame", match: Match, account: Account) -> Target:
    """Delete the rows that meet a source row, in a commit of its own, and return the target as it stands then.

    A MERGE that only deletes reads the keys of the files that may hold them, and no more. Readers stay at the version
    before: neither `good` nor the watermark moves, and the refresh that finds it so after a crash is a full one.
    """
    known = target.state.account if target.state else None
    if known is None:
        raise CommitError(f"{target.name}: rows are to go that no commit of ours has put there")
    rows = {term: account.rows.get(GONE, 0) if term in (KEYS, GONE) else 0 for term in account.rows}
    why = f"rows that are gone, before the others come: {account.reason}"
    told = known.carried_on(account.run_id, GOING, why, rows=rows, code=account.code, watermark=known.watermark)
    _merged(lake, target, gone.select(*match.keys), match, "WHEN MATCHED THEN DELETE", told)
    return replace(target, state=lake.state(target.name))


def _replace(lake: Lake, target: Target, source: "DataFrame", match: Match, account: Account) -> Account:
    """Do what `merge` does by marking rows that meet a source row as deleted, and appending the source; one commit.

    Delta reads only the keys of what is stored. The change feed has an update as a row that went and one that came.
    """
    met = {"replaceOn": match.condition, "targetAlias": "t"}
    return _write(lake, target, source.alias("s"), account, mode="overwrite", **met)


def _literal(value: Any) -> str:
    """Return a value as Spark's SQL writes it: a whole number, a text, a date or an instant."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dt.date):
        return f"{'TIMESTAMP' if isinstance(value, dt.datetime) else 'DATE'}'{value.isoformat()}'"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def note(
    lake: Lake,
    target: Target,
    session: "SparkSession",
    account: Account,
    properties: Mapping[str, str | None] | None = None,
) -> Account:
    """Commit an account without touching rows: a watermark that moved, a verdict, or properties that are set.

    A property of None goes, in a commit before.
    """
    if target.state is None:
        raise CommitError(f"{target.name}: nothing to note in a table that does not exist")
    gone = [name for name, value in (properties or {}).items() if value is None]
    told = {name: value for name, value in (properties or {}).items() if value is not None}
    if gone:
        what = f"UNSET TBLPROPERTIES IF EXISTS ({', '.join(map(_literal, gone))})"
        done = _altered(lake, target, session, account, what)
        if not told:
            return done
        target = replace(target, state=lake.state(target.name))
    point("commits.before_note")
    told[_NOTE] = f"{account.run_id}.{target.next_version}"
    sets = ", ".join(f"{_literal(name)} = {_literal(value)}" for name, value in told.items())
    done = _altered(lake, target, session, account, f"SET TBLPROPERTIES ({sets})")
    point("commits.after_note")
    return done


def _altered(lake: Lake, target: Target, session: "SparkSession", account: Account, what: str) -> Account:
    with _answered(lake, target, account), _with_settings(session, {_METADATA: account.to_json()}):
        session.sql(f"ALTER TABLE delta.{backquoted(lake.path(target.name))} {what}")
    return _check(lake, target, account)


def compact(
    lake: Lake, target: Target, session: "SparkSession", account: Account, sizes: tuple[int, int], by: Sequence[str]
) -> Account | None:
    """Write files anew that are smaller than the first size, up to the second in bytes; None where none were.

    With ``by`` all files are, in ranges of these columns. Rows stay as they are, so that no consumer sees a change.
    """
    settings = {_METADATA: account.to_json(), **dict(zip(_FILE_SIZES, map(str, sizes), strict=True))}
    order = f" ZORDER BY ({', '.join(map(backquoted, by))})" if by else ""
    point("maintain.before_compact")
    with _answered(lake, target, account), _with_settings(session, settings):
        session.sql(f"OPTIMIZE delta.{backquoted(lake.path(target.name))}{order}").collect()
    point("maintain.after_compact")
    state = lake.state(target.name)
    return None if state == target.state else _check(lake, target, account)


def remove(
    lake: Lake, target: Target, session: "SparkSession", account: Account, where: str, staying: "DataFrame | None"
) -> Account:
    """Delete the rows of a table ``t`` that meet a condition; of these, rows in ``staying`` stay, by its columns."""
    done = target.dated(account)
    into = f"delta.{backquoted(lake.path(target.name))} t"
    statement = f"DELETE FROM {into} WHERE {where}"
    if staying is not None:
        staying.createOrReplaceTempView("_staying")
        met = " AND ".join(f"t.{column} <=> s.{column}" for column in map(backquoted, staying.columns))
        statement = f"MERGE INTO {into} USING _staying s ON {met} WHEN NOT MATCHED BY SOURCE AND {where} THEN DELETE"
    point("maintain.before_remove")
    with _answered(lake, target, done), _as_transaction(session, target, done):
        session.sql(statement).collect()
    point("maintain.after_remove")
    return _check(lake, target, done)


def record(path: str, rows: "pa.Table") -> None:
    """Append rows for people to read (``ops`` tables) without Spark; nothing is decided from them."""
    from deltalake import write_deltalake

    write_deltalake(path, rows, mode="append", schema_mode="merge")


def tidy(path: str, old: str | None, hours: int | None) -> None:
    """Remove rows of an ``ops`` table that meet a condition, write the others as few files, and vacuum, without Spark.

    Superseded files stay so many hours, None: for good.
    """
    from deltalake import DeltaTable

    table = DeltaTable(path)
    if old is not None:
        table.delete(old)
    table.optimize.compact()
    if hours is not None:
        table.vacuum(hours, dry_run=False, enforce_retention_duration=False)


def _write(lake: Lake, target: Target, frame: "DataFrame", account: Account, mode: str, **options: str) -> Account:
    done = target.dated(account)
    writer = frame.write.format("delta").mode(mode).options(**options).option("userMetadata", done.to_json())
    if target.state is None:
        for key, value in {**target.properties, **lake.retention(target.name)}.items():
            writer = writer.option(key, value)
    else:
        writer = writer.option("txnAppId", target.state.table_id).option("txnVersion", str(target.next_version))
    point("commits.before_write")
    with _answered(lake, target, done):
        writer.save(lake.path(target.name))
    point("commits.after_write")
    return _check(lake, target, done)


@contextmanager
def _answered(lake: Lake, target: Target, done: Account) -> Iterator[None]:
    """Take a commit that failed for done where it has landed: its answer was lost, and it must not be made twice."""
    try:
        yield
    except Exception as error:
        state = lake.state(target.name)
        if state is None or state.account != done:
            raise
        log.warning("%s: version %s has landed, although: %s", target.name, state.version, str(error).splitlines()[:1])


@contextmanager
def _as_transaction(session: "SparkSession", target: Target, account: Account) -> Iterator[None]:
    """Have the next DML statement of this session carry the account and a transaction id."""
    settings: dict[str, str] = {_METADATA: account.to_json()}
    if target.state is not None:
        settings |= {_TXN_APP: target.state.table_id, _TXN_VERSION: str(target.next_version)}
    with _with_settings(session, settings):
        yield


@contextmanager
def _with_settings(session: "SparkSession", settings: Mapping[str, str]) -> Iterator[None]:
    for key, value in settings.items():
        session.conf.set(key, value)
    try:
        yield
    finally:
        for key in settings:
            session.conf.unset(key)


def _check(lake: Lake, target: Target, done: Account) -> Account:
    """Return the account if the newest commit is the planned one, else raise CommitError."""
    state = lake.state(target.name)
    found = state.version if state else NO_VERSION
    if state is None or state.account != done or found != target.next_version:
        if target.state is not None and found == target.state.version:
            _require_counter(lake, target)
        raise CommitError(
            f"{target.name}: planned version {target.next_version} by run {done.run_id}, found version {found} "
            f"by run {state.account.run_id if state and state.account else 'unknown'}; somebody else writes this "
            "table, or the commit was skipped: run again, after the other writer has ended"
        )
    return done


def _require_counter(lake: Lake, target: Target) -> None:
    """Raise CommitError where the log counts transactions beyond the planned one: Delta skips what is not above."""
    counted = lake.transaction(target.name)
    if counted >= target.next_version:
        raise CommitError(
            f"{target.name}: nothing was written: planned transaction {target.next_version}, its log has one numbered "
            f"{counted}, as only a log has that somebody else wrote to or put together; wanted none "
            "beyond: bring the table back from a backup, or move its folder away, and the next run makes it anew"
        )
