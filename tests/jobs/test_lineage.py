"""Where columns of the five pipelines come from: of every table something, of some what a person reads in the code."""

import datetime as dt
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from medallion import conf, lineage, run
from medallion.bronze import COLUMNS as BRONZE
from medallion.gold import aggregate
from medallion.lineage import Field, Lineage, walk
from medallion.session import Sessions, is_remote
from medallion.step import Run, parameters
from medallion.tables import Aggregate, Bronze, Table, layer_of
from tests.conftest import PROJECT

PIPELINES = ("activity", "community", "covid", "dailylogs", "shop")
Known = Callable[[str], tuple[Run, dict[str, Lineage]]]


@pytest.fixture(scope="module")
def spark(sessions: Sessions) -> SparkSession:
    return sessions.fresh()  # set up for few rows


@pytest.fixture(scope="module")
def known(spark: SparkSession) -> Known:
    if is_remote(spark):
        pytest.skip("only a classic session tells its plans")

    @cache
    def of(pipeline: str) -> tuple[Run, dict[str, Lineage]]:
        prepared = run.prepare(conf.load(pipeline, [], PROJECT))
        found = {
            name: Lineage(name) if isinstance(table, Bronze) else lineage.analyse(prepared, spark, table)
            for name, table in prepared.tables.items()
        }
        return prepared, found

    return of


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_column_is_made_of_columns_that_are_read(known: Known, pipeline: str) -> None:
    prepared, found = known(pipeline)

    assert {name: one.problem for name, one in found.items() if one.problem} == {}
    for name, one in found.items():
        table = prepared.tables[name]
        if isinstance(table, Bronze):
            continue
        assert set(one.columns) == set(table.columns)
        fields = {f for made in one.columns.values() for f in made.sources} | set(one.rows)
        assert {f.table for f in fields} <= set(table.upstream)
        for field in fields:
            columns = BRONZE if layer_of(field.table) == "bronze" else prepared.tables[field.table].columns
            assert field.column in columns


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ("shop.silver.customers.email", {"shop.bronze.customers.fields.email": "TRANSFORMATION"}),
        ("shop.silver.customers.region", {"shop.bronze.customers.fields.country_code": "CONDITIONAL"}),
        ("shop.silver.orders.customer_id", {"shop.bronze.orders.payload.customer.id": "TRANSFORMATION"}),
        ("shop.silver.orders.amount_shop", {  # a looked-up rate, unless the order is in the shop's own currency
            "shop.bronze.orders.payload.total_price": "TRANSFORMATION",
            "shop.silver.exchange_rates.rate": "TRANSFORMATION",
            "shop.bronze.orders.payload.currency": "CONDITIONAL",
        }),
        ("shop.silver.order_items.unit_price", {"shop.silver.orders.line_items[].price": "TRANSFORMATION"}),
        ("shop.silver.order_items.line_number", {"shop.silver.orders.line_items": "TRANSFORMATION*"}),
        ("shop.gold.order_lines.units", {"shop.silver.order_items.quantity": "IDENTITY"}),
        ("shop.gold.customer_orders.product_count", {"shop.silver.order_items.product_id": "AGGREGATION*"}),
        ("shop.gold.revenue.order_date", {"shop.gold.customer_orders.order_date": "IDENTITY"}),
        ("shop.gold.revenue.revenue", {"shop.gold.customer_orders.order_total": "AGGREGATION"}),
        ("shop.gold.revenue.orders", {}),
        ("shop.gold.revenue_trends.cumulative_revenue", {
            "shop.gold.revenue.revenue": "AGGREGATION", "shop.gold.revenue.order_date": "WINDOW"}),
        ("shop.gold.product_performance.category_rank", {
            "shop.gold.product_sales.revenue": "WINDOW", "shop.gold.product_sales.category": "WINDOW"}),
        ("shop.gold.product_recommendations.recommended_product_id", {
            "shop.gold.order_lines.product_id": "AGGREGATION"}),
        ("activity.silver.events.properties", {"activity.bronze.events.payload.properties": "IDENTITY"}),
        ("activity.gold.user_milestones.signed_up_at", {
            "activity.silver.events.occurred_at": "AGGREGATION", "activity.silver.events.event_type": "CONDITIONAL"}),
        ("community.silver.users.latitude", {"community.bronze.users.payload.address.geo.lat": "TRANSFORMATION"}),
        ("community.gold.post_activity.commenters", {"community.silver.comments.email": "AGGREGATION*"}),
        ("covid.silver.region_days.report_date", {"covid.bronze.daily_reports._landing_file": "TRANSFORMATION"}),
        ("covid.gold.country_metrics.new_deaths", {
            "covid.gold.country_counts.deaths": "TRANSFORMATION",
            "covid.gold.country_counts.country": "WINDOW", "covid.gold.country_counts.day": "WINDOW"}),
        ("covid.gold.global_summary.confirmed", {"covid.gold.country_metrics.confirmed": "AGGREGATION"}),
        ("dailylogs.silver.dailylogs.notes", {"dailylogs.bronze.dailylogs.payload.notes": "IDENTITY"}),
    ],
)  # fmt: skip
def test_a_column_is_made_of(known: Known, column: str, wanted: Mapping[str, str]) -> None:
    table, _, name = column.rpartition(".")
    made = known(column.partition(".")[0])[1][table].columns[name]

    found = {
        f"{f.table}.{f.text}": " ".join(sorted(how.subtype + "*" * how.masking for how in hows))
        for f, hows in made.sources.items()
    }

    assert found == wanted


def test_what_decides_on_rows_is_told_apart_from_what_is_in_them(known: Known) -> None:
    rows = known("shop")[1]["shop.silver.orders"].rows

    told = {f"{f.table}.{f.text}": {how.subtype for how in hows} for f, hows in rows.items()}
    assert told["shop.bronze.orders.payload.id"] == {"GROUP_BY"}
    assert told["shop.bronze.orders.payload.updated_at"] == {"SORT", "FILTER"}  # unreadable: quarantined
    assert told["shop.silver.exchange_rates.currency"] == {"JOIN", "FILTER"}


def test_a_gold_column_is_followed_to_the_fields_at_the_source(known: Known) -> None:
    shop = known("shop")[1]

    assert walk.origins(shop, Field("shop.gold.revenue", ("shipping_region",))) == [
        Field("shop.bronze.orders", ("payload", "shipping_address", "country_code"))
    ]
    assert {one.text for one in walk.origins(shop, Field("shop.gold.product_sales", ("gross_amount",)))} == {
        "payload.line_items[].quantity",
        "payload.line_items[].price",
        "payload.line_items[].total_discount",
        "fields",  # of the rate file, whose columns are currencies
    }


def test_personal_data_is_followed_into_gold_and_back_into_bronze(known: Known) -> None:
    found: dict[str, dict[str, str]] = {}
    for pipeline in PIPELINES:
        prepared, lineages = known(pipeline)
        found |= walk.personal(prepared.tables, lineages)

    assert {name: sorted(columns) for name, columns in found.items() if layer_of(name) == "gold" and columns} == {
        "activity.gold.daily_user_activity": ["user_id"],
        "activity.gold.recent_user_activity": ["user_id"],
        "activity.gold.user_milestones": ["user_id"],
        "activity.gold.user_sessions": ["user_id"],
        "community.gold.post_activity": ["user_id"],
        "community.gold.user_analytics_summary": ["city", "email_domain", "name", "user_id", "username"],
        "community.gold.user_engagement_metrics": ["user_id", "username"],
        "shop.gold.customer_lifetime_value": ["customer_id"],
        "shop.gold.customer_orders": ["customer_id"],
        "shop.gold.customer_sales": ["customer_id"],
    }
    assert set(found["shop.silver.addresses"]) >= {"name", "street", "city", "postal_code"}
    assert found["shop.bronze.customers"]["fields.email"] == "shop.silver.customers.email"


GOLD = ("covid.gold.country_metrics", "shop.gold.product_recommendations", "covid.gold.country_trends")


@pytest.mark.slow
@pytest.mark.parametrize("name", GOLD)
def test_a_column_that_is_not_named_has_no_part_in_it(known: Known, spark: SparkSession, name: str) -> None:
    """Other values in one column of what is read leave all as it was that it has no part in, as lineage tells."""
    prepared, lineages = known(name.partition(".")[0])
    table, told = prepared.tables[name], lineages[name]
    inputs = {up: _sample(spark, prepared.tables[up], seed) for seed, up in enumerate(table.upstream)}
    before = _made(prepared, table, inputs)

    for up, frame in inputs.items():
        for column in frame.columns:
            if any((f.table, f.column) == (up, column) for f in told.rows):
                continue
            concerned = {
                one for one, made in told.columns.items() for f in made.sources if (f.table, f.column) == (up, column)
            }
            others = [one for one in table.columns if one not in concerned]
            after = _made(prepared, table, {**inputs, up: _poisoned(frame, column)})
            assert _rows(after, others) == _rows(before, others), f"{up}.{column}"
    assert before


def _made(prepared: Run, table: Table, inputs: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    given = parameters(prepared, table)
    if isinstance(table, Aggregate):
        rows = aggregate.grouped(table, inputs[table.reads])
    else:
        rows = table.function(*[inputs[up] for up in table.inputs], **given)  # type: ignore[misc]
    return list(rows.select(*table.columns).toArrow().to_pylist())


def _rows(made: list[dict[str, Any]], columns: list[str]) -> list[str]:
    return sorted(repr([row[column] for column in columns]) for row in made)


def _sample(spark: SparkSession, table: Table, seed: int) -> DataFrame:
    """Return forty rows of values that meet each other, nulls among them, one a key."""
    schema = T.StructType.fromDDL(", ".join(f"`{column}` {type_}" for column, (type_, _) in table.columns.items()))
    pick = random.Random(seed)
    rows = [tuple(_value(field.dataType, pick) for field in schema) for _ in range(40)]
    frame = spark.createDataFrame(rows, schema).dropna(subset=list(table.key))  # type: ignore[union-attr]
    return frame.dropDuplicates(list(table.key)).localCheckpoint()  # type: ignore[union-attr]


def _value(type_: T.DataType, pick: random.Random) -> Any:
    values: dict[str, Callable[[], Any]] = {
        "string": lambda: pick.choice(("paid", "pending", "refunded", "x")),
        "date": lambda: dt.date(2026, 1, pick.randint(1, 20)),
        "timestamp": lambda: dt.datetime(2026, 1, pick.randint(1, 20), pick.randint(0, 23)),
        "boolean": lambda: pick.random() < 0.8,
        "decimal": lambda: Decimal(pick.randint(1, 99)),
    }
    if pick.random() < 0.1 or type_.typeName() in ("struct", "array"):
        return None
    return values.get(type_.typeName(), lambda: pick.randint(1, 9))()


def _poisoned(frame: DataFrame, column: str) -> DataFrame:
    type_ = frame.schema[column].dataType.simpleString()
    other = {"string": F.lit("poison"), "date": F.lit(dt.date(1999, 1, 1)), "boolean": ~F.coalesce(column, F.lit(True))}
    value = other.get(type_, F.lit(None) if type_.startswith(("struct", "array", "timestamp")) else F.lit(7))
    return frame.withColumn(column, value.cast(type_))
