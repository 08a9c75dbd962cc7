"""Reading without Spark: the same rows that Spark sees, deletion vectors and older versions included."""

from pathlib import Path

import pytest

from medallion import query
from medallion.errors import ConfError, HistoryError

ROWS = 20_000


@pytest.fixture(scope="module")
def path(spark, tmp_path_factory) -> str:
    """A table of many row groups, some of whose rows are updated, then others deleted, by deletion vectors."""
    path = str(tmp_path_factory.mktemp("vectors") / "table")
    rows = spark.range(ROWS).selectExpr("id", "concat('name ', id) AS name", "id % 7 = 0 AS _deleted")
    writer = rows.coalesce(1).write.format("delta").option("delta.enableDeletionVectors", "true")
    writer.option("parquet.block.size", "32768").save(path)
    spark.range(ROWS).where("id % 100 = 3").createOrReplaceTempView("changed")
    spark.sql(f"MERGE INTO delta.`{path}` t USING changed s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'new'")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id % 1000 = 5")
    assert list(Path(path).glob("deletion_vector_*"))
    return path


@pytest.mark.parametrize("version", [0, 1, 2])
def test_select_returns_what_spark_returns(spark, path, version):
    parts = ["true", "NOT _deleted", "name = 'new'", "id BETWEEN 4321 AND 15007"]
    sums = [f"(count(*) FILTER (WHERE {part}), sum(id) FILTER (WHERE {part}))" for part in parts]
    frame = spark.read.format("delta").option("versionAsOf", version).load(path)
    expected = [tuple(pair) for pair in frame.selectExpr(*[f"struct{one}" for one in sums]).first()]

    found = [query.select(path, f"SELECT count(*) AS n, sum(id) AS s FROM t WHERE {part}", version) for part in parts]

    assert [tuple(rows[0].values()) for rows in found] == expected


def test_select_returns_single_rows_changed_and_deleted(path):
    rows = query.select(path, "SELECT id, name FROM t WHERE id IN (1003, 1004, 1005) ORDER BY id")

    assert rows == [{"id": 1003, "name": "new"}, {"id": 1004, "name": "name 1004"}]


def test_select_of_a_version_whose_files_are_gone_says_so(tmp_path):
    from deltalake import write_deltalake
    from pyarrow import table

    write_deltalake(tmp_path / "t", table({"a": [1]}))
    for file in (tmp_path / "t").glob("*.parquet"):
        file.unlink()

    with pytest.raises(HistoryError, match="some of its files are gone at version 0"):
        query.select(str(tmp_path / "t"), "SELECT max(a) FROM t", 0)


def test_chosen_refuses_columns_that_are_not_there():
    assert query.chosen(["b"], ["a", "b"], "t") == ["b"]
    with pytest.raises(ConfError, match="t: no column c, d; wanted some of a, b"):
        query.chosen(["a", "c", "d"], ["a", "b"], "t")


def test_quoted_keeps_any_name_a_name():
    assert query.quoted(["a", 'b"; DROP']) == '"a", "b""; DROP"'
