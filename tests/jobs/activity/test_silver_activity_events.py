import datetime as dt
import json

import pytest
from pyspark.sql import functions as F

from jobs.activity.contract import EARLIEST, EVENT_TYPES, Event
from jobs.activity.silver.events import events
from medallion import conf as conf_door

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


def read(spark, *payloads, zone="UTC"):
    rows = [(f"r{n}", 1, n, NOON, p if isinstance(p, str) else json.dumps(p)) for n, p in enumerate(payloads)]
    schema = "_record_id string, _delivery bigint, _position bigint, _received_at timestamp, payload string"
    made = events(spark.createDataFrame(rows, schema), zone=zone)
    return [row.asDict() for row in made.withColumn("at", F.col("occurred_at").cast("string")).collect()]


def test_an_event_is_trimmed_and_typed(spark):
    sent = {
        "event_id": " e1 ",
        "user_id": 7,
        "event_type": " Page_View\t",
        "occurred_at": "2026-01-05T00:30:00+02:00",
        "properties": {"page": "/", "n": 1.50},
    }

    (row,) = read(spark, sent)

    assert (row["event_id"], row["user_id"], row["at"]) == ("e1", "7", "2026-01-04 22:30:00")
    assert (row["event_date"], row["received_at"].astimezone(dt.UTC)) == (dt.date(2026, 1, 4), NOON)
    assert json.loads(row["properties"]) == {"page": "/", "n": 1.5}
    assert row["_problems"] == []


def test_a_tab_is_no_blank_to_a_type(spark):
    """F.trim takes blanks only; another character stays, for the expectation to tell of."""
    (row,) = read(spark, {"event_id": "e", "event_type": "login\t"})

    assert row["event_type"] == "login\t"


def test_a_day_is_one_of_the_pipelines_zone(spark):
    (row,) = read(spark, {"event_id": "e", "occurred_at": "2026-01-04T23:30:00Z"}, zone="Europe/Vienna")

    assert row["event_date"] == dt.date(2026, 1, 5)


@pytest.mark.parametrize("text", ["yesterday", "2026-01-05T00:30:00", "2026-13-05T00:30:00Z", "1767571200"])
def test_a_time_that_cannot_be_read_is_told(spark, text):
    (row,) = read(spark, {"event_id": "e", "occurred_at": text})

    assert (row["occurred_at"], row["_problems"]) == (None, [f"occurred_at: cannot read '{text}'"])


def test_what_was_not_sent_is_null(spark):
    (row,) = read(spark, {})

    assert {row[name] for name in ("event_id", "user_id", "event_type", "occurred_at", "properties")} == {None}
    assert row["_problems"] == []


def test_the_contract_says_what_the_expectations_say():
    expected = conf_door.load("activity").expectations("activity.silver.events")
    (types,) = [tuple(rule.values) for rule in expected if rule.rule == "accepted_values"]
    (earliest,) = [rule.min for rule in expected if rule.rule == "range"]

    assert types == EVENT_TYPES
    assert dt.datetime.fromisoformat(str(earliest)) == EARLIEST


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({}, []),
        ({"user_id": 7, "event_type": " LOGIN "}, []),
        ({"event_id": " "}, ["event_id"]),
        ({"user_id": None}, ["user_id"]),
        ({"event_type": "teleport"}, ["event_type"]),
        ({"occurred_at": "2026-01-05T12:00:00"}, ["occurred_at"]),
        ({"occurred_at": "1999-12-31T23:59:59Z"}, ["occurred_at"]),
    ],
)
def test_a_sender_is_told_what_breaks_the_contract(change, fields):
    from pydantic import ValidationError

    sent = {"event_id": "e", "user_id": "u", "event_type": "login", "occurred_at": "2026-01-05T12:00:00Z", **change}
    try:
        Event.model_validate(sent)
        found = []
    except ValidationError as error:
        found = [details["loc"][0] for details in error.errors()]

    assert found == fields
