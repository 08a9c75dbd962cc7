"""Bronze: append each delivered record once, as received, with whence it came.

``read = stored + duplicates`` holds for each batch, and is looked at after the commit with Delta's own figure.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from medallion import changes, commits, gate
from medallion.conf import Source
from medallion.errors import CommitError, HistoryError
from medallion.lake import NO_VERSION, Account, Lake, Mark, State
from medallion.landing import Landing, Manifest, batches
from medallion.records import Batch, read
from medallion.session import from_arrow
from medallion.step import Outcome, Step
from medallion.tables import Bronze

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# Deliveries are gathered up to this size into one append: large enough to be few, small enough for a driver.
BATCH_BYTES = 128 * 1024 * 1024
NONE_YET = "no delivery yet: it starts empty"

_PLACE = ("delivery", "landing_file", "position")  # of a record: no two have the same

COLUMNS = {
    "_record_id": "Identity of the delivered record: by idempotency key, or by content, place and delivery",
    "_identity": "What the identity is made from; differs from _record_id only where a key came with other bytes",
    "_key": "Business key, where the source declares one",
    "payload": "The record exactly as received",
    "fields": "Columns of a structured record by the names in its header, as text",
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


def ingest(step: Step, table: Bronze) -> Outcome:
    """Append what landing published since the table's own last commit; an outcome `skipped` where nothing was.

    Before its source's first delivery the table is made empty, so that what reads it can start.
    """
    landing = Landing(step.run.conf, table.source)
    known = step.lake.state(step.name)
    pending = landing.after(consumed(known, table))
    rows = {"read": 0, "stored": 0, "duplicates": 0}
    if not pending and known is not None:
        return Outcome(step.name, "skipped", "skip", "no new delivery", rows=rows)
    for batch in batches(pending, BATCH_BYTES) if pending else [[]]:
        account = _append(step, table, landing, batch)
        rows = {term: rows[term] + account.rows[term] for term in rows}
    state = step.lake.state(step.name)
    reason = f"{len(pending)} new deliver{'y' if len(pending) == 1 else 'ies'}" if pending else NONE_YET
    return Outcome(step.name, "done", "append", reason, state.version if state else None, rows)


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


def _append(step: Step, table: Bronze, landing: Landing, manifests: Sequence[Manifest]) -> Account:
    source = step.run.conf.source(table.source)
    batch = read(landing, source, manifests)
    state = step.lake.state(step.name)
    first, last = (manifests[0].number, manifests[-1].number) if manifests else (0, 0)
    target = commits.Target(step.name, state, commits.APPEND_ONLY)
    records, duplicates = _new(step, source, batch)
    stored = len(batch.table) - duplicates
    account = Account(
        step.run.run_id,
        technique="append",
        reason=f"deliveries {first} to {last}" if manifests else NONE_YET,
        fingerprint="",
        watermark={f"landing.{table.source}": Mark(last, since=first - 1)},
        rows={"read": batch.read, "stored": stored, "duplicates": duplicates + batch.repeats},
        data=state.data if state else NO_VERSION,
        good=state.good if state else NO_VERSION,
    )
    if stored == 0 and state is not None:
        done = commits.note(step.lake, target, step.session, account)
    else:
        account = replace(account, good=commits.SAME_COMMIT)
        done = commits.append(step.lake, target, _documented(step, records, last), account)
    _balance(step, done, stored)
    return done


def _new(step: Step, source: Source, batch: Batch) -> tuple["DataFrame", int]:
    """Return the batch's records that bronze does not have yet, with identity, key and problem; and how many it has.

    Most identities come once: only of those that do not, records are held against each other.
    """
    from pyspark.sql import functions as F

    records = _identified(step, source, batch)
    if source.delivers == "snapshot":
        return records, 0
    identities = records.select("_identity", "_payload_sha256", *_PLACE).persist()
    try:
        known = _known(step, identities)
        repeated = _repeated(identities, known)
        if repeated is None:
            return records, 0
        judged = changes.at_hand(_judged(identities.join(F.broadcast(repeated), on="_identity", how="semi"), known))
        found = judged.agg(F.count_if("_is_duplicate")).first()
    finally:
        identities.unpersist()
    is_other = F.coalesce("_is_other", F.lit(False))
    other_id = F.sha2(F.concat("_identity", "_payload_sha256"), 256)
    new = (
        records.join(F.broadcast(judged), on=list(_PLACE), how="left")
        .where("NOT coalesce(_is_duplicate, false)")
        .withColumns(
            {
                "_record_id": F.when(is_other, other_id).otherwise(F.col("_identity")),
                "_problem": F.when(is_other, F.lit("idempotency key reused with other bytes")).otherwise(
                    F.col("_problem")
                ),
            }
        )
    )
    return new, found[0] if found else 0


def _identified(step: Step, source: Source, batch: Batch) -> "DataFrame":
    """Return the batch's records with identity, key and problem, as if each were the first of its identity."""
    from pyspark.sql import functions as F

    return (
        from_arrow(step.session, batch.table)
        .withColumns({"_payload_sha256": F.sha2("payload", 256), "_problem": _unreadable(source)})
        .withColumn("_key", _readable(source, source.key))
        .withColumn("_identity", _identity(source))
        .withColumn("_record_id", F.col("_identity"))
    )


def _repeated(records: "DataFrame", known: "DataFrame | None") -> "DataFrame | None":
    """Return the identities that come more than once, or that bronze has; None where there are none."""
    from pyspark.sql import functions as F

    counted = records.groupBy("_identity").agg(F.count("*").alias("_times"))
    is_repeated = F.col("_times") > 1
    if known is not None:
        counted = counted.join(known.select("_identity", F.lit(True).alias("_is_known")), on="_identity", how="left")
        is_repeated = is_repeated | F.coalesce("_is_known", F.lit(False))
    repeated = changes.at_hand(counted.where(is_repeated).select("_identity"))
    return None if repeated.isEmpty() else repeated


def _judged(repeated: "DataFrame", known: "DataFrame | None") -> "DataFrame":
    """Tell of records, by their place, which is there already, and which has another's key with bytes of its own."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    if known is None:
        none = {"_stored_sha256": F.lit(None).cast("string"), "_stored": F.lit(None).cast("array<string>")}
        records = repeated.withColumns(none)
    else:
        records = repeated.join(known, on="_identity", how="left")
    same_identity = Window.partitionBy("_identity").orderBy(*_PLACE)
    same_bytes = Window.partitionBy("_identity", "_payload_sha256").orderBy(*_PLACE)
    first = F.coalesce("_stored_sha256", F.first("_payload_sha256").over(same_identity))
    is_stored = F.coalesce(F.array_contains("_stored", F.col("_payload_sha256")), F.lit(False))
    return records.select(
        *_PLACE,
        (F.col("_payload_sha256") != first).alias("_is_other"),
        (is_stored | (F.row_number().over(same_bytes) > 1)).alias("_is_duplicate"),
    )


def _identity(source: Source) -> "Column":
    """Identity by what the source delivers: key, or content with its place, and for an extract its delivery."""
    from pyspark.sql import functions as F

    place = [F.col("occurrence").cast("string")]
    if source.delivers == "snapshot":
        place.append(F.col("delivery").cast("string"))
    by_content = F.concat_ws("\n", F.lit(source.system), "_payload_sha256", *place)
    if source.idempotency_key is None:
        return F.sha2(by_content, 256)
    key = _readable(source, source.idempotency_key)
    by_key = F.concat_ws("\n", F.lit(source.system), F.lit("key"), key)
    return F.sha2(F.when(key.isNull(), by_content).otherwise(by_key), 256)


def _readable(source: Source, path: str | None) -> "Column":
    """The text at a path or in a column of a record; null in one that is broken, whose keys must not count."""
    from pyspark.sql import functions as F

    if path is None:
        return F.lit(None).cast("string")
    found = F.get_json_object("payload", path) if source.format == "json" else F.col("fields")[path]
    return F.when(F.col("_problem").isNull(), found)


def _unreadable(source: Source) -> "Column":
    """What reading said, else whether the text is a JSON object; a repeated name within an object makes it none."""
    from pyspark.sql import functions as F

    found = F.col("problem")
    if source.format != "json":
        return found
    is_object = F.try_parse_json("payload").isNotNull() & F.col("payload").rlike(r"^\s*\{")
    return F.coalesce(found, F.when(~is_object, F.lit("not a JSON object")))


def _known(step: Step, records: "DataFrame") -> "DataFrame | None":
    """Return what bronze holds of the batch's identities: hash of the first payload, and all its hashes."""
    from pyspark.sql import functions as F

    state = step.lake.state(step.name)
    if state is None:
        return None
    bronze = gate.read_version(step.session, state, state.version)
    is_first = F.col("_record_id") == F.col("_identity")
    return (
        bronze.join(F.broadcast(records.select("_identity").distinct()), on="_identity", how="semi")
        .groupBy("_identity")
        .agg(
            F.max(F.when(is_first, F.col("_payload_sha256"))).alias("_stored_sha256"),
            F.collect_set("_payload_sha256").alias("_stored"),
        )
    )


def _documented(step: Step, records: "DataFrame", batch_id: int) -> "DataFrame":
    """Return the columns of a bronze table, in order, with what they hold."""
    from pyspark.sql import functions as F

    from medallion import clock

    source = step.run.conf.source(getattr(step.table, "source", ""))
    engine = {
        "_batch_id": F.lit(batch_id).cast("bigint"),
        "_delivery": F.col("delivery"),
        "_position": F.col("position"),
        "_landing_file": F.col("landing_file"),
        "_received_at": F.col("received_at"),
        "_ingested_at": F.lit(clock.now()),
        "_source_system": F.lit(source.system),
    }
    return records.select(
        *[engine.get(name, F.col(name)).alias(name, metadata={"comment": doc}) for name, doc in COLUMNS.items()]
    )


def _balance(step: Step, done: Account, stored: int) -> None:
    """Hold the account against what Delta says it wrote; raises CommitError where a record is unaccounted for."""
    commit = next(step.lake.history(step.name, 1))
    written = int(commit.metrics.get("numOutputRows", 0)) if commit.operation == "WRITE" else 0
    rows = done.rows
    if rows["read"] != rows["stored"] + rows["duplicates"] or written != stored:
        raise CommitError(f"{step.name}: version {commit.version} wrote {written} rows, its account says {dict(rows)}")
