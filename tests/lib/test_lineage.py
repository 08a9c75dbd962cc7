"""What analysed plans tell of columns: expressions and plans, each against what a person reads in it."""

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from medallion.lineage.expressions import UnknownError
from medallion.lineage.plans import INPUT, Relation, relation
from medallion.lineage.value import Sources
from medallion.session import is_remote

COLUMNS = (
    "a string, b int, c date, payload string, fields map<string,string>, "
    "lines array<struct<price:string,units:int>>, sent struct<id:string,to:struct<city:string>>"
)


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    if is_remote(spark):
        pytest.skip("only a classic session tells its plans")
    return spark.createDataFrame([], COLUMNS).alias(f"{INPUT}t")


@pytest.fixture
def others(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([], "k string, v int, w int").alias(f"{INPUT}u")


def told(rows: DataFrame) -> Relation:
    return relation(rows._jdf.queryExecution().analyzed().toJSON())


def plain(sources: Sources) -> dict[str, str]:
    """Return sources as words: a star for what does not show, the table where it is not t."""
    named = {f"{f.text}" if f.table == "t" else f"{f.table}.{f.text}": hows for f, hows in sources.items()}
    return {field: " ".join(sorted({how.subtype + "*" * how.masking for how in hows})) for field, hows in named.items()}


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("a", {"a": "IDENTITY"}),
        ("1", {}),
        ("CAST(b AS bigint)", {"b": "TRANSFORMATION"}),
        ("concat(a, cast(b AS string))", {"a": "TRANSFORMATION", "b": "TRANSFORMATION"}),
        ("a = 'x'", {"a": "TRANSFORMATION*"}),
        ("sha2(a, 256)", {"a": "TRANSFORMATION*"}),
        ("CASE WHEN b > 0 THEN a END", {"a": "IDENTITY", "b": "CONDITIONAL"}),
        ("CASE WHEN b > 0 THEN a ELSE 'none' END", {"a": "TRANSFORMATION", "b": "CONDITIONAL"}),
        ("if(b > 0, 'yes', 'no')", {"b": "CONDITIONAL"}),
        ("coalesce(a, payload)", {"a": "TRANSFORMATION", "payload": "TRANSFORMATION"}),
        ("nullif(trim(a), '')", {"a": "CONDITIONAL TRANSFORMATION"}),
        ("sent.to.city", {"sent.to.city": "IDENTITY"}),
        ("fields['E-mail']", {"fields.E-mail": "IDENTITY"}),
        ("try_element_at(fields, a)", {"fields": "TRANSFORMATION", "a": "TRANSFORMATION"}),
        ("lines[0].price", {"lines[].price": "IDENTITY"}),
        ("lines.units", {"lines[].units": "IDENTITY"}),
        ("transform(lines, x -> x.units + b)", {
            "lines": "TRANSFORMATION", "lines[].units": "TRANSFORMATION", "b": "TRANSFORMATION"}),
        ("filter(lines, x -> x.units > b)", {
            "lines": "TRANSFORMATION", "lines[].units": "CONDITIONAL", "b": "CONDITIONAL"}),
        ("from_json(payload, 'x struct<y:string>').x.y", {"payload.x.y": "IDENTITY"}),
        ("from_json(from_json(payload, 'x string').x, 'y string').y", {"payload.x.y": "IDENTITY"}),
        ("get_json_object(payload, '$.lines[0].price')", {"payload.lines[].price": "IDENTITY"}),
        ("get_json_object(payload, a)", {"payload": "TRANSFORMATION", "a": "TRANSFORMATION"}),
        ("variant_get(parse_json(payload), '$.x', 'string')", {"payload.x": "IDENTITY"}),
        ("named_struct('p', a, 'q', b).q", {"b": "IDENTITY"}),
        ("size(array(a, payload))", {"a": "TRANSFORMATION*", "payload": "TRANSFORMATION*"}),
        ("lag(b) OVER (PARTITION BY a ORDER BY c)", {"b": "TRANSFORMATION", "a": "WINDOW", "c": "WINDOW"}),
        ("sum(b) OVER (PARTITION BY a ORDER BY c)", {"b": "AGGREGATION", "a": "WINDOW", "c": "WINDOW"}),
        ("rank() OVER (PARTITION BY a ORDER BY b DESC)", {"a": "WINDOW", "b": "WINDOW"}),
    ],
)  # fmt: skip
def test_an_expression_is_made_of(rows: DataFrame, expression: str, wanted: dict[str, str]) -> None:
    made = told(rows.selectExpr(f"{expression} AS made")).columns[0].value

    assert plain(made.sources) == wanted


@pytest.mark.parametrize(
    ("measure", "wanted"),
    [
        ("count(*)", {}),
        ("count(DISTINCT a)", {"a": "AGGREGATION*"}),
        ("sum(b) FILTER (WHERE a = 'x')", {"b": "AGGREGATION", "a": "CONDITIONAL"}),
        ("max_by(a, c)", {"a": "AGGREGATION", "c": "SORT"}),
        ("min(named_struct('by', c, 'of', a)).of", {"a": "AGGREGATION SORT", "c": "SORT"}),
        ("collect_list(sent)[0].to.city", {"sent.to.city": "IDENTITY"}),
        ("count_if(b > 1)", {"b": "AGGREGATION*"}),
    ],
)
def test_a_measure_is_made_of(rows: DataFrame, measure: str, wanted: dict[str, str]) -> None:
    made = told(rows.groupBy("payload").agg(F.expr(measure).alias("made")))

    assert plain(made.columns[1].value.sources) == wanted
    assert plain(made.rows) == {"payload": "GROUP_BY"}


PLANS: dict[str, tuple[Callable[[DataFrame, DataFrame], DataFrame], dict[str, str], dict[str, str]]] = {
    "a filter": (lambda t, u: t.where("b > 0").select("a"), {"a": "IDENTITY"}, {"b": "FILTER"}),
    "a filter by what was made": (
        lambda t, u: t.withColumn("d", F.upper("payload")).where("d = 'X'").select("a"),
        {"a": "IDENTITY"},
        {"payload": "FILTER"},
    ),
    "a sort": (lambda t, u: t.orderBy("c").limit(3).select("a"), {"a": "IDENTITY"}, {"c": "SORT"}),
    "a join": (
        lambda t, u: t.join(u, F.col("a") == F.col("k"), "left").select(F.col("v").alias("x")),
        {"u.v": "IDENTITY"},
        {"a": "JOIN", "u.k": "JOIN"},
    ),
    "a semi join": (
        lambda t, u: t.join(u, F.col("a") == F.col("k"), "left_semi").select("b"),
        {"b": "IDENTITY"},
        {"a": "JOIN", "u.k": "JOIN"},
    ),
    "a join with itself": (
        lambda t, u: t.select("a", "b").join(t.groupBy("a").agg(F.max("b").alias("m")), on="a").selectExpr("b - m"),
        {"b": "AGGREGATION TRANSFORMATION"},
        {"a": "GROUP_BY JOIN"},
    ),
    "a union": (
        lambda t, u: t.select("a").unionByName(u.select(F.col("k").alias("a"))),
        {"a": "TRANSFORMATION", "u.k": "TRANSFORMATION"},
        {},
    ),
    "rows of another shape": (
        lambda t, u: (
            t.select("a", "b").unionByName(u.select(F.col("k").alias("a")), allowMissingColumns=True).select("b")
        ),
        {"b": "IDENTITY"},
        {},
    ),
    "an explosion": (
        lambda t, u: t.select(F.explode("lines").alias("line")).select("line.price"),
        {"lines[].price": "IDENTITY"},
        {"lines": "FILTER"},
    ),
    "pairs taken apart": (
        lambda t, u: t.select(
            F.explode(F.array(F.struct(F.col("a").alias("x")), F.struct(F.col("payload").alias("x")))).alias("p")
        ).select("p.*"),
        {"a": "TRANSFORMATION", "payload": "TRANSFORMATION"},
        {"a": "FILTER", "payload": "FILTER"},
    ),
    "duplicates dropped": (
        lambda t, u: t.dropDuplicates(["b"]).select("a"),
        {"a": "IDENTITY"},
        {"b": "GROUP_BY"},
    ),
    "what others lack": (
        lambda t, u: t.select("a").exceptAll(u.select("k")),
        {"a": "IDENTITY"},
        {"a": "FILTER", "u.k": "FILTER"},
    ),
    "a subquery": (
        lambda t, u: t.where(F.col("b") > u.where(F.col("k") == F.col("a").outer()).select(F.max("v")).scalar()).select(
            "c"
        ),
        {"c": "IDENTITY"},
        {"b": "FILTER", "u.v": "FILTER", "u.k": "FILTER", "a": "FILTER"},
    ),
    "a rollup": (
        lambda t, u: t.rollup("a").agg(F.sum("b").alias("s")).select("s"),
        {"b": "AGGREGATION"},
        {"a": "GROUP_BY"},
    ),
    "newest of each": (
        lambda t, u: (
            t.withColumn("n", F.row_number().over(Window.partitionBy("a").orderBy(F.desc("c"))))
            .where("n = 1")
            .select("b")
        ),
        {"b": "IDENTITY"},
        {"a": "FILTER", "c": "FILTER"},
    ),
    "a function of Python": (
        lambda t, u: t.select(F.udf(lambda one, other: one, "string")("a", "b").alias("x")),
        {"a": "TRANSFORMATION", "b": "TRANSFORMATION"},
        {},
    ),
    "Python over batches": (
        lambda t, u: t.select("a", "b").mapInArrow(lambda batches: batches, "x string"),
        {"a": "TRANSFORMATION", "b": "TRANSFORMATION"},
        {},
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_tells(rows: DataFrame, others: DataFrame, name: str) -> None:
    make, wanted, deciding = PLANS[name]

    made = told(make(rows, others))

    assert plain(made.columns[0].value.sources) == wanted
    assert plain(made.rows) == deciding


def test_a_plan_of_an_unknown_kind_has_no_lineage_rather_than_half_of_one(rows: DataFrame, others: DataFrame) -> None:
    joined = rows.select("a").lateralJoin(others.where(F.col("k") == F.col("a").outer()).select("v"))

    with pytest.raises(UnknownError, match="LateralJoin, a kind of plan that is not known"):
        told(joined)
