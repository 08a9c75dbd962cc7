"""Lines of the Center's files, and days of countries, in few words."""

import datetime as dt
from collections.abc import Callable, Mapping

import pytest
from pyspark.sql import DataFrame, SparkSession

DAY_0 = dt.date(2020, 3, 1)
RECORD = "_record_id string, _delivery bigint, _position bigint, _landing_file string, fields map<string,string>"


@pytest.fixture
def lines(spark: SparkSession) -> Callable[..., DataFrame]:
    """Return a factory of bronze records of one file: a mapping of column names to text each."""

    def make(file: str, *fields: Mapping[str, str | None]) -> DataFrame:
        rows = [(f"r{n}", 1, n, f"files/0f/{file}", dict(one)) for n, one in enumerate(fields, start=1)]
        return spark.createDataFrame(rows, RECORD)

    return make


@pytest.fixture
def series(spark: SparkSession) -> Callable[..., DataFrame]:
    """Return a factory of `country_days` as gold reads them: (country, days after 2020-03-01, confirmed[, deaths,
    recovered]), what is left out 0.
    """

    def make(*told: tuple[str, int, int | None] | tuple[str, int, int | None, int | None, int | None]) -> DataFrame:
        rows = []
        for country, after, confirmed, *others in told:
            deaths, recovered = others or (0, 0)
            rows.append((country, DAY_0 + dt.timedelta(days=after), confirmed, deaths, recovered))
        return spark.createDataFrame(
            rows, "country string, day date, confirmed bigint, deaths bigint, recovered bigint"
        )

    return make
