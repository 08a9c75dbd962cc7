"""Rows that did not make it: quarantined with reasons, or waiting for a lookup; kept whole, to be taken up again."""

from typing import TYPE_CHECKING

from medallion import commits
from medallion.account import Account
from medallion.gate import read_version
from medallion.small import SMALL_BYTES
from medallion.step import Run, Step
from medallion.tables import Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEY = ("_record_id", "_ordinal")
COLUMNS = {
    "_record_id": "The delivered record the row comes from",
    "_ordinal": "Number of the row within its record, from 0",
    "outcome": "quarantined: rejected for its reasons; waiting: only lacks a lookup, and is taken up by itself",
    "reasons": "The rules that the row missed, with what was found",
    "waits_for": "The lookup that is missing, and the values it was looked for with",
    "row": "The row as the transform made it, as JSON",
    "payload": "The record as received; null where it is the parent's",
    "landing_file": "File the record came in, below its source's landing folder",
    "_delivery": "Landing number of the delivery",
    "_position": "Place of the record in its file, from 1",
    "run_id": "The run that last judged it",
}


def name_of(table: Silver) -> str:
    """Return the name of a table's quarantine: ``shop.quarantine.orders``."""
    pipeline, _, table_name = table.name.split(".")
    return f"{pipeline}.quarantine.{table_name}"


def entries(run: Run, session: "SparkSession", table: Silver) -> "DataFrame | None":
    """Return what a table's quarantine holds now, or None where there never was any."""
    state = run.lake.state(name_of(table))
    return None if state is None else read_version(session, state, state.version)


def rejected(step: Step, judged: "DataFrame", records: "DataFrame") -> "DataFrame":
    """Return judged rows that were not taken, as entries of the quarantine; ``records`` are where they came from."""
    from pyspark.sql import functions as F

    known = [c for c in ("payload", "_landing_file") if c in records.columns]
    shown = [column for column in judged.columns if not column.startswith("_")]
    rows = judged.where("_verdict != 'valid'")
    if known:
        rows = records.select("_record_id", *known).join(F.broadcast(rows), on="_record_id", how="inner")
    engine = {
        "outcome": F.col("_verdict"),
        "reasons": F.col("_missed"),
        "waits_for": F.nullif(F.col("_waits_for"), F.lit("")),
        "row": F.to_json(F.struct(*shown)),
        "payload": F.col("payload") if "payload" in known else F.lit(None).cast("string"),
        "landing_file": F.col("_landing_file") if "_landing_file" in known else F.lit(None).cast("string"),
        "run_id": F.lit(step.run.run_id),
    }
    return rows.select(
        *[engine.get(name, F.col(name)).alias(name, metadata={"comment": doc}) for name, doc in COLUMNS.items()]
    )


def settle(step: Step, table: Silver, found: "DataFrame", again: "DataFrame | None", *, anew: bool) -> None:
    """Make the quarantine hold what this step found: add it, and let go of entries that were taken up.

    Written before the table's own commit and safe to repeat. ``again`` are the ids of records that were
    judged before; ``anew`` says that all records were judged.
    """
    from pyspark.sql import functions as F

    name = name_of(table)
    state = step.lake.state(name)
    target = commits.Target(name, state, commits.CURATED)
    account = Account(step.run.run_id, "affected_keys", f"rows of {table.name}", "", good=commits.SAME_COMMIT)
    if state is None or anew:
        commits.overwrite(step.lake, target, found, account)
        return
    held = read_version(step.session, state, state.data)
    if step.lake.size(name) < SMALL_BYTES:  # to write a few rows anew takes a third of a MERGE
        staying = held if again is None else held.join(F.broadcast(again), on="_record_id", how="anti")
        staying = staying.join(found.select(*KEY), on=list(KEY), how="anti")
        commits.overwrite(step.lake, target, staying.unionByName(found), account)
        return
    source = found.withColumn("_gone", F.lit(False))
    if again is not None:
        prior = held.join(F.broadcast(again), on="_record_id", how="semi")
        taken_up = prior.join(found.select(*KEY), on=list(KEY), how="anti").withColumn("_gone", F.lit(True))
        source = source.unionByName(taken_up)
    commits.merge(step.lake, target, source, commits.Match(KEY), account)
