"""Bronze records as a silver transform gets them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

RECORD = (
    "_record_id string, _key string, payload string, fields map<string,string>, _delivery bigint, "
    "_position bigint, _received_at timestamp, _landing_file string, _source_system string"
)
RECEIVED_AT = datetime(2026, 2, 1, 12, tzinfo=UTC)


@pytest.fixture
def lines(spark: SparkSession) -> Callable[..., DataFrame]:
    """Return a function from the fields of csv lines to their bronze records."""

    def records(*fields: dict[str, str | None]) -> DataFrame:
        rows = [(f"r{n}", None, None, line, 1, n, RECEIVED_AT, None, None) for n, line in enumerate(fields)]
        return spark.createDataFrame(rows, RECORD)

    return records


@pytest.fixture
def deliveries(spark: SparkSession) -> Callable[..., DataFrame]:
    """Return a function from payloads, as objects or raw text, to their bronze records."""

    def records(*payloads: Any) -> DataFrame:
        texts = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
        rows = [(f"r{n}", None, text, None, 1, n, RECEIVED_AT, None, None) for n, text in enumerate(texts)]
        return spark.createDataFrame(rows, RECORD)

    return records
