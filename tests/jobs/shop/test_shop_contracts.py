"""Each table makes the columns and types that it declares; on empty tables, with the pipeline's conf."""

from datetime import date

import pytest
from pyspark.sql import functions as F

from medallion import conf, graph
from medallion.tables import CARRIED, Aggregate, Derived, Mart, Silver, layer_of

PIPELINE = conf.load("shop")
TABLES = graph.load(PIPELINE)
GIVEN = {**PIPELINE.pipeline.parameters, "run_date": date(2026, 1, 5)}
CARRIED_TYPES = "_record_id string, _delivery bigint, _position bigint"
RECORD = f"{CARRIED_TYPES}, _key string, payload string, fields map<string,string>, _received_at timestamp"


def named(*kinds):
    return [name for name, table in TABLES.items() if isinstance(table, kinds)]


def declared_types(name):
    return {column: type_ for column, (type_, _) in TABLES[name].columns.items()}


def empty(spark, name, more=""):
    columns = ", ".join(f"{column} {type_}" for column, type_ in declared_types(name).items())
    return spark.createDataFrame([], f"{columns}{more}")


def keywords(function):
    return {name: GIVEN[name] for name in function.__annotations__ if name in GIVEN}


@pytest.mark.parametrize("name", named(Mart, Derived))
def test_gold_makes_the_declared_columns(spark, name):
    table = TABLES[name]

    made = table.function(*[empty(spark, upstream) for upstream in table.inputs], **keywords(table.function))

    assert list(made.dtypes) == list(declared_types(name).items())


@pytest.mark.parametrize("name", named(Aggregate))
def test_an_aggregate_makes_the_declared_columns(spark, name):
    table = TABLES[name]
    dimensions = [F.expr(sql).alias(column) for column, sql in table.dimensions.items()]
    measures = [F.expr(measure.sql).alias(column) for column, measure in table.measures.items()]

    made = empty(spark, table.reads).where(table.where or "true").groupBy(*dimensions).agg(*measures)

    assert list(made.dtypes) == list(declared_types(name).items())


@pytest.mark.parametrize("name", named(Silver))
def test_silver_makes_the_declared_columns(spark, name):
    table = TABLES[name]
    is_child = layer_of(table.reads) == "silver"
    records = empty(spark, table.reads, f", {CARRIED_TYPES}") if is_child else spark.createDataFrame([], RECORD)

    rows = table.function(records, **keywords(table.function))
    for lookup in table.lookups:
        types = declared_types(lookup.table)
        taken = [F.lit(None).cast(types[its]).alias(own) for its, own in lookup.take.items()]
        rows = rows.select("*", *taken)
    if table.enrichment is not None:
        rows = table.enrichment(rows, **keywords(table.enrichment))

    public = {column: type_ for column, type_ in rows.dtypes if not column.startswith("_")}
    public.pop(table.deleted, None)
    assert public == declared_types(name)
    assert set(CARRIED) <= set(rows.columns)
