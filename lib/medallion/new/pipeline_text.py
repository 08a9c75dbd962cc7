"""A new pipeline, as `medallion new pipeline` writes it: one source, one table a layer, one test; `$` marks names."""

from collections.abc import Mapping

SOURCE = "events"
EXAMPLE = "tests/jobs/$pipeline/events.jsonl"

CONF = """\
# What $pipeline is about; this line, the description and all below are yours to change.
description: Events of $pipeline, from delivered payloads to events by day and kind
retention_class: standard  # standard, personal or reference

parameters:
  zone: UTC  # whose days count

sources:
  events:
    format: json
    delivers: events  # each record once; snapshot: an extract of all there is
    system: $pipeline
    idempotency_key: $$.id  # what tells events apart
    key: $$.id

expectations:
  silver.events:
    - {rule: unique, columns: [event_id], severity: fail}
    - {rule: not_null, column: kind, severity: quarantine}
    - {rule: not_null, column: happened_at, severity: quarantine}

  gold.daily_events:
    - {rule: unique, columns: [event_date, kind], severity: fail}
"""

DEPLOYMENT = """\
- name: $pipeline
  <<: *pipeline
  schedules: []
  parameters: {pipeline: $pipeline, overrides: [], layer: null, table: null}
  build: [{flows.deployment.from_conf: {id: conf, pipeline: $pipeline}}]
- name: $pipeline-maintenance
  <<: *maintenance
  parameters: {pipeline: $pipeline, overrides: [runtime.on_locked=wait]}
  build: [{flows.deployment.of_maintenance: {id: conf, pipeline: $pipeline}}]
"""

_BRONZE = '''\
"""$pipeline.bronze.events: one row per delivered event, exactly as it was sent."""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="events")

if __name__ == "__main__":
    job.main(__file__)
'''

_SILVER = '''\
"""$pipeline.silver.events: one row per event_id, typed; of events that came twice, the one that came last.

A day is a day of the pipeline's zone.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import field, problems, unreadable, utc_timestamp
from medallion.tables import CARRIED, Silver

EVENT = "id string, kind string, happened_at string"

table = Silver(
    reads="$pipeline.bronze.events",
    key=("event_id",),
    sequence=("_delivery", "_position"),
    columns={
        "event_id": ("string", "the sender's id of the event, trimmed"),
        "kind": ("string", "what happened, trimmed"),
        "happened_at": ("timestamp", "when, UTC"),
        "event_date": ("date", "day of it in the pipeline's zone"),
    },
)


@table.transform
def events(records: DataFrame, *, zone: str) -> DataFrame:
    """Read each event and type its fields."""
    happened_at = utc_timestamp(field("sent.happened_at"))
    return records.withColumn("sent", F.from_json("payload", EVENT)).select(
        field("sent.id").alias("event_id"),
        field("sent.kind").alias("kind"),
        happened_at.alias("happened_at"),
        F.to_date(F.from_utc_timestamp(happened_at, zone)).alias("event_date"),
        *CARRIED,
        problems(unreadable("happened_at", field("sent.happened_at"), happened_at)),
    )


if __name__ == "__main__":
    job.main(__file__)
'''

_GOLD = '''\
"""$pipeline.gold.daily_events: one row per event_date and kind."""

from medallion import job
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="$pipeline.silver.events",
    dimensions={"event_date": "event_date", "kind": "kind"},
    measures={"events": Measure("count"), "last_at": Measure("max", "happened_at")},
    columns={
        "event_date": ("date", "day in the pipeline's zone"),
        "kind": ("string", "what happened"),
        "events": ("bigint", "events of the kind on that day"),
        "last_at": ("timestamp", "the last of them, UTC"),
    },
)

if __name__ == "__main__":
    job.main(__file__)
'''

_LINE = """\
{"id": "1", "kind": "opened", "happened_at": "2026-01-31T23:30:00Z"}
{"id": "2", "kind": "opened", "happened_at": "2026-01-31T06:00:00+02:00"}
{"id": "3", "kind": null, "happened_at": "2026-01-31T06:00:00Z"}
"""

_TEST = '''\
"""The pipeline $pipeline: what silver makes of events, and the whole of it on a few of them."""

import datetime as dt
from pathlib import Path

from jobs.$pipeline.silver.events import events

SENT = Path(__file__).with_name("events.jsonl").read_text()
RECORD = "_record_id string, _delivery bigint, _position bigint, payload string"


def read(spark, *payloads):
    records = [(f"r{number}", 1, number, payload) for number, payload in enumerate(payloads)]
    return events(spark.createDataFrame(records, RECORD), zone="Europe/Vienna").collect()


def test_an_event_is_trimmed_and_typed(spark):
    sound, empty = read(spark, '{"id": " 1 ", "kind": "opened", "happened_at": "2026-01-31T23:30:00Z"}', "{}")

    assert (sound.event_id, sound.kind, sound.event_date) == ("1", "opened", dt.date(2026, 2, 1))
    assert (empty.event_id, empty.kind, empty.happened_at, empty["_problems"]) == (None, None, None, [])


def test_a_time_that_cannot_be_read_is_told(spark):
    (row,) = read(spark, '{"id": "1", "happened_at": "yesterday"}')

    assert row["_problems"] == ["happened_at: cannot read 'yesterday'"]


def test_events_are_counted_by_day_and_those_without_a_kind_are_kept_apart(lakehouse):
    lake = lakehouse("$pipeline")
    lake.deliver("events", SENT, ending="jsonl")

    report = lake.run()

    assert report.passed, [outcome.error for outcome in report.outcomes]
    rows = lake.rows("$pipeline.gold.daily_events", "event_date", "kind", "events").collect()
    assert [tuple(row) for row in rows] == [(dt.date(2026, 1, 31), "opened", 2)]
    assert {o.table: o.rows.get("quarantined") for o in report.outcomes}["$pipeline.silver.events"] == 1
'''

FILES: Mapping[str, str] = {
    "conf/pipelines/$pipeline.yaml": CONF,
    "jobs/$pipeline/bronze/events.py": _BRONZE,
    "jobs/$pipeline/silver/events.py": _SILVER,
    "jobs/$pipeline/gold/daily_events.py": _GOLD,
    "tests/jobs/$pipeline/test_$pipeline.py": _TEST,
    EXAMPLE: _LINE,
}
NEXT = (
    "pytest tests/jobs/$pipeline",
    "medallion plan $pipeline",
    f"medallion land $pipeline {SOURCE} {EXAMPLE}",
    "medallion run $pipeline",
    "medallion show $pipeline.gold.daily_events",
)
