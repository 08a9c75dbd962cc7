"""What Delta's change feed cannot tell: more rows of a file marked as deleted at once than a text of it holds."""

from pathlib import Path

from pyspark.sql import SparkSession

from medallion import log_files
from medallion.session import Sessions

FIRST, MARKED = "id = 1", "pmod(hash(id), 4) = 0 AND id <> 1"  # all over each file: bitmaps of runs would be small


def _table(session: SparkSession, folder: Path, rows: int) -> str:
    path = str(folder / "marked")
    properties = {"delta.enableChangeDataFeed": "true", "delta.enableDeletionVectors": "true"}
    session.range(0, rows, 1, 1).write.format("delta").options(**properties).save(path)
    for condition in (FIRST, MARKED):
        session.sql(f"DELETE FROM delta.`{path}` WHERE {condition}").collect()
    return path


def _told(session: SparkSession, path: str) -> int:
    feed = session.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 2)
    return len(feed.load(path).where("_change_type = 'delete'").toArrow())


def test_a_feed_that_cannot_be_read_is_noticed_beforehand(sessions: Sessions, tmp_path: Path) -> None:
    session = sessions.fresh()
    session.conf.set("spark.sql.files.maxRecordsPerFile", "0")
    path = _table(session, tmp_path, 12 * 65_536)

    gap = log_files.feed_gap(path, 0, 2)

    assert gap is not None
    assert gap.startswith("version 2 marked 19")
    assert gap.endswith("rows of one file as deleted: its feed cannot be read")
    try:
        _told(session, path)
    except Exception as error:  # noqa: BLE001 - it is not one of Spark's own
        assert "too long" in str(error)
    else:
        raise AssertionError("Delta reads it by now: the limit can go")


def test_files_are_written_so_small_that_any_feed_of_them_can_be_read(sessions: Sessions, tmp_path: Path) -> None:
    session = sessions.fresh()
    path = _table(session, tmp_path, 12 * 65_536)

    assert len(list(Path(path).glob("*.parquet"))) == 2
    assert log_files.feed_gap(path, 0, 2) is None
    assert _told(session, path) == session.range(0, 12 * 65_536).where(MARKED).count()
