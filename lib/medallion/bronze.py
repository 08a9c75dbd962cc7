"""Bronze: append each delivered record once, as received, with whence it came.

``read = stored + duplicates`` holds for each batch, and is looked at after the commit with Delta's own figure.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medallion import commits, gate, intake
from medallion.account import NO_VERSION, Account, Mark
from medallion.ahead import one_ahead
from medallion.arrivals import Arrivals
from medallion.check import Check
from medallion.conf import Source
from medallion.errors import CommitError, HistoryError, some
from medallion.faults import point
from medallion.held import Holder
from medallion.lake import Lake, State
from medallion.landing import Landing, Manifest, batches
from medallion.records import Batch, read
from medallion.session import from_arrow, is_remote
from medallion.step import Outcome, Step
from medallion.stored import Stored
from medallion.tables import Bronze

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

# Deliveries are gathered up to this size into one append: large enough to be few, small enough for a driver. A Connect
# server keeps what a client sends as rows in its plan, several times over: 256 MiB of it ended one with 4 GiB.
BATCH_BYTES = 128 * 1024 * 1024
REMOTE_BATCH_BYTES = 64 * 1024 * 1024
UNKNOWN_COLUMNS = "columns named in conf"
NONE_YET = "no delivery yet: it starts empty"

COLUMNS = {
    "_record_id": "Identity of the delivered record: by idempotency key, or by content, place and delivery",
    "_identity": "What the identity is made from; differs from _record_id only where a key came with other bytes",
    "_key": "Business key, where the source declares one",
    "payload": "The record exactly as received",
    "fields": "Columns of a structured record by the names that conf gives them, else those in its header, as text",
    "_rescued": "Columns of a structured record that conf does not name; null where there are none",
    "_payload_sha256": "Hash of the payload",
    "_problem": "Why the payload cannot be parsed; null where it can be",
    "_batch_id": "Landing number of the newest delivery in the append that stored it",
    "_delivery": "Landing number of the delivery",
    "_position": "Place of the record in its file, from 1",
    "_landing_file": "File it came in, below the source's landing folder",
    "_received_at": "When the delivery was published in landing",
    "_ingested_at": "When this row was appended",
    "_source_system": "System that delivered it",
}
# Of those that are no text.
TYPES = {
    "fields": "map<string,string>",
    "_batch_id": "bigint",
    "_delivery": "bigint",
    "_position": "bigint",
    "_received_at": "timestamp",
    "_ingested_at": "timestamp",
}


def ingest(step: Step, table: Bronze) -> Outcome:
    """Append what landing published since the table's own last commit; an outcome `skipped` where nothing was.

    Before its source's first delivery the table is made empty, so that what reads it can start.
    """
    landing = Landing(step.run.conf, table.source)
    known = step.lake.state(step.name)
    since = consumed(known, table)
    point("bronze.before_intake")
    taken = intake.take(step.run.conf, table.source, known, since, log.info)
    point("bronze.after_intake")
    pending = landing.after(since)
    rows = {"read": 0, "stored": 0, "duplicates": 0}
    arrivals = Arrivals(step, table, known)
    if not pending and known is not None:
        reason = "; ".join(["no new delivery", *taken.notes])
        return _held(step, Outcome(step.name, "skipped", "skip", reason, rows=rows, checks=arrivals.checks()))
    unknown: set[str] = set()
    source = step.run.conf.source(table.source)
    stored = Stored(step, source)
    for manifests, came in one_ahead(_parts(step, pending), lambda part: _read(landing, source, part)):
        account, columns = _append(step, table, manifests, came, stored, arrivals)
        rows = {term: rows[term] + account.rows[term] for term in rows}
        unknown.update(columns)
    point("bronze.all_appended")
    state = step.lake.state(step.name)
    reason = f"{len(pending)} new deliver{'y' if len(pending) == 1 else 'ies'}" if pending else NONE_YET
    told = ("append", "; ".join([reason, *taken.notes]), state.version if state else None, rows)
    checks = [*_drift(unknown, rows["read"]), *arrivals.checks()]
    return _held(step, Outcome(step.name, "done", *told, checks=checks))


def _held(step: Step, outcome: Outcome) -> Outcome:
    """Return an outcome as failed where what came did not pass; let readers have what passes after all."""
    state = step.lake.state(step.name)
    if state is None or state.account is None or state.good == state.data:
        return outcome
    failing = gate.failed(outcome.checks)
    if failing:
        short = step.name.partition(".")[2]
        outcome.status, outcome.version = "failed", state.version
        outcome.error = (
            f"{gate.refusal(step.name, state.account, failing)}; where it is right all the same: `medallion run "
            f"{step.run.conf.name} runtime.accept={short}`"
        )
        return outcome
    marks = {name: replace(mark, since=mark.version) for name, mark in state.account.watermark.items()}
    passed = replace(
        state.account,
        run_id=step.run.run_id,
        reason=f"version {state.data} passes",
        watermark=marks,
        rows=dict.fromkeys(state.account.rows, 0),
        good=state.data,
        received={},
    )
    done = commits.note(step.lake, commits.Target(step.name, state, commits.APPEND_ONLY), step.session, passed)
    outcome.status, outcome.version = "done", done.data
    outcome.reason += f"; version {state.data} passes now"
    return outcome


def _parts(step: Step, pending: Sequence[Manifest]) -> Iterator[list[Manifest]]:
    """Yield deliveries in batches, one at least; the first is one for any Spark, which starts while that is read."""
    first = next(batches(pending, REMOTE_BATCH_BYTES), [])
    yield first
    yield from batches(pending[len(first) :], REMOTE_BATCH_BYTES if is_remote(step.session) else BATCH_BYTES)


def _drift(unknown: Collection[str], read: int) -> list[Check]:
    """Tell of columns that conf does not name, whose cells were kept apart."""
    if not unknown:
        return []
    return [Check(UNKNOWN_COLUMNS, "warn", len(unknown), read, False, some(sorted(unknown)))]


def consumed(state: State | None, table: Bronze) -> int:
    """Return the landing number up to which a bronze table has read.

    Raises HistoryError where its rows were changed by hand: acknowledged records may be missing.
    """
    if state is None:
        return 0
    if state.foreign or state.account is None:
        raise HistoryError(
            f"{state.name}: append-only, but found {state.foreign or 'no commit of ours'}; records that were "
            f"acknowledged may be gone: RESTORE TABLE delta.`{state.path}` TO VERSION AS OF {state.data} brings "
            "them back"
        )
    mark = state.account.watermark.get(f"landing.{table.source}")
    if mark is None:
        raise HistoryError(
            f"{state.name}: found records of {', '.join(state.account.watermark)}, wanted landing.{table.source}: a "
            "table takes in one source; give another source a table of its own"
        )
    return mark.version


def delivered(lake: Lake, name: str, source: str, version: int) -> int:
    """Return the landing number up to which a bronze table had read at a version; everything later is newer."""
    commit = lake.commits_between(name, version - 1, version)[0]
    if commit.account is None:
        raise HistoryError(f"{name}: version {version} is no commit of ours")
    return commit.account.watermark[f"landing.{source}"].version


def look_up(
    lake: Lake, name: str, rows: "DataFrame", columns: Sequence[str], met: "Callable[[DataFrame], DataFrame]"
) -> "DataFrame":
    """Return the records of a bronze table that ``met`` leaves of its rows, going by these columns.

    Payloads are most of what a table holds: of a large one it is found first in which deliveries the records are, and
    only these are read whole. There are to be few.
    """
    if lake.size(name) < commits.LARGE_BYTES:
        return met(rows)
    places = met(rows.select(*columns, "_delivery")).select("_delivery").distinct()
    with Holder() as holder:
        return met(holder.hold(places).keys({"_delivery": "_delivery"}).narrowed(rows))


def _read(landing: Landing, source: Source, manifests: Sequence[Manifest]) -> tuple[Batch, "pa.Table"]:
    """Return deliveries as a batch, and its records with identity, key and problem."""
    from medallion.records import identity

    point("bronze.before_read")
    batch = read(landing, source, manifests)
    return batch, identity.identified(batch.table, source)


def _append(
    step: Step,
    table: Bronze,
    manifests: Sequence[Manifest],
    came: tuple[Batch, "pa.Table"],
    stored: Stored,
    arrivals: Arrivals,
) -> tuple[Account, list[str]]:
    """Append deliveries in one commit, and return its account and the columns that conf does not name."""
    batch, records = came
    arrivals.take(batch.received)
    state = step.lake.state(step.name)
    first, last = (manifests[0].number, manifests[-1].number) if manifests else (0, 0)
    target = commits.Target(step.name, state, commits.APPEND_ONLY)
    news, duplicates = stored.sort_out(records, state)
    point("bronze.before_commit")
    account = Account(
        step.run.run_id,
        technique="append",
        reason=f"deliveries {first} to {last}" if manifests else NONE_YET,
        fingerprint="",
        watermark={f"landing.{table.source}": Mark(last, since=first - 1)},
        rows={"read": batch.read, "stored": len(news), "duplicates": duplicates + batch.repeats},
        data=state.data if state else NO_VERSION,
        good=state.good if state else NO_VERSION,
        cursor=next((m.cursor for m in reversed(manifests) if m.cursor is not None), _cursor(state)),
        received=batch.received,
        removed=state.account.removed if state and state.account else None,
    )
    if not len(news) and state is not None:
        done = commits.note(step.lake, target, step.session, account)
    else:
        if not gate.failed(arrivals.checks()):
            account = replace(account, good=commits.SAME_COMMIT)
        done = commits.append(step.lake, target, _documented(step, news, last), account)
    point("bronze.after_commit")
    _balance(step, done, len(news))
    return done, batch.unknown_columns()


def _cursor(state: State | None) -> Mapping[str, Any] | None:
    return state.account.cursor if state and state.account else None


def _documented(step: Step, records: "pa.Table", batch_id: int) -> "DataFrame":
    """Return the columns of a bronze table, in order, with what they hold.

    What is the same for all of a batch is put in here: as a literal Spark would compile each append anew.
    """
    import pyarrow as pa

    from medallion import clock

    source = step.run.conf.source(getattr(step.table, "source", ""))
    same = {
        "_batch_id": pa.scalar(batch_id, pa.int64()),
        "_ingested_at": pa.scalar(clock.now(), pa.timestamp("us", tz="UTC")),
        "_source_system": pa.scalar(source.system, pa.string()),
    }
    columns = {name: pa.repeat(value, len(records)) for name, value in same.items()}
    columns |= {
        name: records[name if name in records.column_names else name.lstrip("_")]
        for name in COLUMNS
        if name not in same
    }
    frame = from_arrow(step.session, pa.table({name: columns[name] for name in COLUMNS}))
    from pyspark.sql import functions as F  # only now: without a Spark there are no columns

    return frame.select(*[F.col(name).alias(name, metadata={"comment": doc}) for name, doc in COLUMNS.items()])


def _balance(step: Step, done: Account, stored: int) -> None:
    """Hold the account against what Delta says it wrote; raises CommitError where a record is unaccounted for."""
    commit = next(step.lake.history(step.name, 1))
    written = int(commit.metrics.get("numOutputRows", 0)) if commit.operation == "WRITE" else 0
    rows = done.rows
    if rows["read"] != rows["stored"] + rows["duplicates"] or written != stored:
        raise CommitError(f"{step.name}: version {commit.version} wrote {written} rows, its account says {dict(rows)}")
