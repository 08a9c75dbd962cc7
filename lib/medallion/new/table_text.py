"""The text of a new table's module and test, kind by kind; `$` marks what is filled in."""

BRONZE = '''\
"""$name: one row per delivered record, exactly as it was sent."""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="$table")
'''
SOURCE = """\
$table:
  format: json  # or csv, parquet
  delivers: events  # each record once; snapshot: an extract of all there is
  system: $pipeline
  key: $$.id  # where the business key stands
"""
SILVER = '''\
"""$name: one row per $grain, as it was last delivered."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import blank_to_null
from medallion.tables import CARRIED, Silver

table = Silver(
    reads="$reads",
    key=$key,
    sequence=("_delivery", "_position"),
    columns={
$columns
        "received_at": ("timestamp", "when it was published in landing, UTC"),
    },
)


@table.transform
def $table(records: DataFrame) -> DataFrame:
    """Read each record."""
    return records.select(
$cells
        F.col("_received_at").alias("received_at"),
        *CARRIED,
    )

'''
SILVER_TEST = """\
import datetime as dt

from jobs.$name import $table

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
RECORD = "_record_id string, _delivery bigint, _position bigint, _received_at timestamp, $sent"


def test_a_key_is_trimmed_and_a_record_without_one_is_read(spark):
    records = [("r1", 1, 1, NOON, $sound), ("r2", 1, 2, NOON, $empty)]

    found = $table(spark.createDataFrame(records, RECORD)).select($quoted).collect()

    assert [tuple(row) for row in found] == [$values, $nulls]
"""
AGGREGATE = '''\
"""$name: one row per $grain."""

from medallion import job
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="$reads",
    dimensions={"$grain": "$grain"},
    measures={"row_count": Measure("count")},
    columns={
$columns
        "row_count": ("bigint", "rows of $source"),
    },
)
'''
AGGREGATE_TEST = '''\
from jobs.$name import table
from medallion.gold.aggregate import grouped

ROWS = """
$rows
"""


def test_rows_are_counted_and_null_is_a_value_like_any_other(spark):
    found = grouped(table, spark.sql(ROWS)).collect()

    assert sorted(row.row_count for row in found) == [1, 2]
'''
MART = '''\
"""$name: one row per $grain.

Tables to join go into lookups={"<table>": "<own column>"} and children={"<table>": "<its column>"}.
"""

from pyspark.sql import DataFrame

from medallion import job
from medallion.tables import Mart

table = Mart(
    driving="$reads",
    key=$key,
    columns={
$columns
    },
)


@table.transform
def $table($source: DataFrame) -> DataFrame:
    """Bring each row together with what belongs to it."""
    return $source.select(*table.columns)

'''
DERIVED = '''\
"""$name: one row per $grain, in the order of which they are numbered."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("$reads",),
    key=$key,
    columns={
$columns
        "place": ("int", "place in the order of the key, from 1"),
    },
)


@table.transform
def $table($source: DataFrame) -> DataFrame:
    """Number the rows."""
    in_order = Window.partitionBy().orderBy(*table.key)
    return $source.withColumn("place", F.row_number().over(in_order)).select(*table.columns)

'''
FUNCTION_TEST = '''\
from jobs.$name import $imported

ROWS = """
$rows
"""


def test_it_makes_the_declared_columns_of_each_row(spark):
    found = $table(spark.sql(ROWS))

    assert dict(found.dtypes) == {column: type_ for column, (type_, _) in table.columns.items()}
    assert found.count() == 3
'''

END = '\nif __name__ == "__main__":\n    job.main(__file__)\n'
