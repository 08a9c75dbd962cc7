"""Delivered rows in few words, and a community served on loopback."""

import copy
import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import community_service
import pytest
from pyspark.sql import SparkSession

from jobs.community.sample import RESOURCES, community
from medallion.intake import http
from medallion.tables import Silver
from tests.conftest import Lakehouse

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
GIVEN = {
    "quality_weights": {"completeness": 40, "validity": 40, "consistency": 20},
    "quality_grades": {"A": 90, "B": 75, "C": 50},
}


@pytest.fixture
def read(spark: SparkSession) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that has a silver table's transform read payloads, and returns the rows it makes."""

    def make(table: Silver, *payloads: Any) -> list[dict[str, Any]]:
        assert table.function is not None
        told = [one if isinstance(one, str) else json.dumps(one) for one in payloads]
        rows = [(f"r{number}", 1, number, NOON, payload) for number, payload in enumerate(told)]
        schema = "_record_id string, _delivery bigint, _position bigint, _received_at timestamp, payload string"
        return [row.asDict() for row in table.function(spark.createDataFrame(rows, schema), **GIVEN).collect()]

    return make


class Service:
    """A community on loopback; ``rows`` may be changed between requests, ``fails`` says which are answered by 500."""

    def __init__(self) -> None:
        self.rows = copy.deepcopy(dict(community(0)))
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.fails: Callable[[str, Mapping[str, str]], bool] = lambda path, query: False
        self.url = ""

    def answer(self, path: str, query: Mapping[str, str]) -> community_service.Answer:
        self.asked.append((path, dict(query)))
        return (500, b"{}") if self.fails(path, query) else community_service.answer(self.rows, path, query)

    @property
    def overrides(self) -> list[str]:
        return [f"connections.community.{name}.url={self.url}" for name in RESOURCES]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The sample's first day as a service; waits between tries are left out."""
    monkeypatch.setattr(http, "_sleep", lambda seconds: None)
    made = Service()
    with community_service.serving(made.answer) as made.url:
        yield made


@pytest.fixture
def lake(lakehouse: Callable[..., Lakehouse], service: Service) -> Lakehouse:
    return lakehouse("community", *service.overrides)
