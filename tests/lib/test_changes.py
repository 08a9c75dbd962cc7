"""What came and went in a table, told from its change feed."""

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from medallion import changes

FEED = "id string, n int, _change_type string, _commit_version bigint"


def _fed(spark: SparkSession, *rows: tuple[str | None, int, str, int]) -> DataFrame:
    return spark.createDataFrame(list(rows), FEED)


def test_of_each_key_that_is_there_the_newest_image_came(spark: SparkSession) -> None:
    fed = _fed(
        spark,
        ("changed twice", 1, "update_preimage", 3),
        ("changed twice", 2, "update_postimage", 3),
        ("changed twice", 2, "update_preimage", 5),
        ("changed twice", 3, "update_postimage", 5),
        ("replaced", 1, "delete", 4),
        ("replaced", 2, "insert", 4),
        ("gone", 1, "insert", 3),
        ("gone", 1, "delete", 5),
        ("back", 1, "delete", 3),
        ("back", 7, "insert", 5),
        (None, 4, "insert", 3),
    )

    came = changes.came(fed, ["id"]).select("id", "n")

    wanted = spark.createDataFrame([("changed twice", 3), ("replaced", 2), ("back", 7), (None, 4)], "id string, n int")
    assert_df_equality(came, wanted, ignore_row_order=True, ignore_nullable=True)
