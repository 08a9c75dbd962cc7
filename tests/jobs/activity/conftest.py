"""Events in few words."""

import datetime as dt
from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession


@pytest.fixture
def events(spark: SparkSession) -> Callable[..., DataFrame]:
    """Return a factory of silver events: (user, type, time as in 2026-01-05 10:00), ids in their order."""

    def make(*told: tuple[str, str, str]) -> DataFrame:
        rows = []
        for number, (user, kind, at) in enumerate(told):
            moment = dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC)
            rows.append((f"e{number}", user, kind, moment, moment.date()))
        schema = "event_id string, user_id string, event_type string, occurred_at timestamp, event_date date"
        return spark.createDataFrame(rows, schema)

    return make
