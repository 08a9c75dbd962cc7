"""Bronze: append each delivered record once, as received, with whence it came.

``read = stored + duplicates`` holds for each batch, and is looked at after the commit with Delta's own figure.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from medallion import commits
from medallion.conf import Source
from medallion.errors import CommitError, HistoryError
from medallion.lake import NO_VERSION, Account, Lake, Mark, State
from medallion.landing import Landing, Manifest, batches
from medallion.records import Batch, read
from medallion.step import Outcome, Step
from medallion.tables import Bronze

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# Deliveries are gathered up to this size into one append: large enough to be few, small enough for a driver.
BATCH_BYTES = 128 * 1024 * 1024

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
    """Append what landing published since the table's own last commit; an outcome `skipped` where nothing was."""
    landing = Landing(step.run.conf, table.source)
    pending = landing.after(consumed(step.lake.state(step.name), table))
    rows = {"read": 0, "stored": 0, "duplicates": 0}
    if not pending:
        return Outcome(step.name, "skipped", "skip", "no new delivery", rows=rows)
    for batch in batches(pending, BATCH_BYTES):
        account = _append(step, table, landing, batch)
        rows = {term: rows[term] + account.rows[term] for term in rows}
    state = step.lake.state(step.name)
    reason = f"{len(pending)} new deliver{'y' if len(pending) == 1 else 'ies'}"
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
    target = commits.Target(step.name, state, commits.APPEND_ONLY)
    records = identified(step, source, batch).persist()
    try:
        stored, duplicates = _count(records)
        account = Account(
            step.run.run_id,
            technique="append",
            reason=f"deliveries {manifests[0].number} to {manifests[-1].number}",
            fingerprint="",
            watermark={f"landing.{table.source}": Mark(manifests[-1].number, since=manifests[0].number - 1)},
            rows={"read": batch.read, "stored": stored, "duplicates": duplicates + batch.repeats},
            data=state.data if state else NO_VERSION,
            good=state.good if state else NO_VERSION,
        )
        if stored == 0 and state is not None:
            done = commits.note(step.lake, target, step.session, account)
        else:
            new = _documented(step, records.where("not _is_duplicate"), manifests[-1].number)
            account = replace(account, good=commits.SAME_COMMIT)
            done = commits.append(step.lake, target, new, account)
    finally:
        records.unpersist()
    _balance(step, done, stored)
    return done


def identified(step: Step, source: Source, batch: Batch) -> "DataFrame":
    """Return the batch's records with identity, key and problem, and whether bronze or the batch has them already."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    arrived = step.session.createDataFrame(batch.to_arrow())
    by_arrival = ("delivery", "landing_file", "position")
    records = (
        arrived.withColumns({"_payload_sha256": F.sha2("payload", 256), "_unreadable": _unreadable(source)})
        .withColumn("_key", _readable(source, source.key))
        .withColumn("_identity", _identity(source))
    )
    if source.delivers == "snapshot":
        return records.withColumns(
            {
                "_record_id": F.col("_identity"),
                "_problem": F.col("_unreadable"),
                "_is_duplicate": F.lit(False),
            }
        )
    same_identity = Window.partitionBy("_identity").orderBy(*by_arrival)
    same_bytes = Window.partitionBy("_identity", "_payload_sha256").orderBy(*by_arrival)
    known = _known(step, records)
    first = F.coalesce("_stored_sha256", F.first("_payload_sha256").over(same_identity))
    is_other = F.col("_payload_sha256") != F.col("_first_sha256")
    return (
        records.join(known, on="_identity", how="left")
        .withColumn("_first_sha256", first)
        .withColumns(
            {
                "_record_id": F.when(is_other, F.sha2(F.concat("_identity", "_payload_sha256"), 256)).otherwise(
                    F.col("_identity")
                ),
                "_problem": F.when(is_other, F.lit("idempotency key reused with other bytes")).otherwise(
                    F.col("_unreadable")
                ),
                "_is_duplicate": F.coalesce(F.array_contains("_stored", F.col("_payload_sha256")), F.lit(False))
                | (F.row_number().over(same_bytes) > 1),
            }
        )
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
    return F.when(F.col("_unreadable").isNull(), found)


def _unreadable(source: Source) -> "Column":
    """What reading said, else whether the text is a JSON object; a repeated name within an object makes it none."""
    from pyspark.sql import functions as F

    found = F.col("problem")
    if source.format != "json":
        return found
    is_object = F.try_parse_json("payload").isNotNull() & F.col("payload").rlike(r"^\s*\{")
    return F.coalesce(found, F.when(~is_object, F.lit("not a JSON object")))


def _known(step: Step, records: "DataFrame") -> "DataFrame":
    """Return what bronze holds of the batch's identities: hash of the first payload, and all its hashes."""
    from pyspark.sql import functions as F

    state = step.lake.state(step.name)
    if state is None:
        none = {"_stored_sha256": "string", "_stored": "array<string>"}
        columns = [F.lit(None).cast(type_).alias(name) for name, type_ in none.items()]
        return records.select("_identity", *columns).where(F.lit(False))
    bronze = step.session.read.format("delta").option("versionAsOf", state.version).load(state.path)
    is_first = F.col("_record_id") == F.col("_identity")
    return (
        bronze.join(F.broadcast(records.select("_identity").distinct()), on="_identity", how="semi")
        .groupBy("_identity")
        .agg(
            F.max(F.when(is_first, F.col("_payload_sha256"))).alias("_stored_sha256"),
            F.collect_set("_payload_sha256").alias("_stored"),
        )
    )


def _count(records: "DataFrame") -> tuple[int, int]:
    from pyspark.sql import functions as F

    found = records.agg(F.count_if(~F.col("_is_duplicate")), F.count_if("_is_duplicate")).first()
    return (found[0], found[1]) if found else (0, 0)


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
