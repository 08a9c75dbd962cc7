"""The shop's tables as a careful script makes them: plain PySpark and Delta, no engine.

``python benchmarks/shop_script.py --data FOLDER --lake FOLDER --day 0`` reads ``FOLDER/day0/<source>`` and
makes 4 bronze, 6 silver and 9 gold tables; ``--day 1`` reads only that day's files, merges only what they
touch, and computes gold in full. The functions that turn rows into rows are those of ``jobs/shop``, so that
both ways differ in what moves the data and in nothing else; there are no expectations, no quarantine (what
cannot be used is filtered out), no accounts and no gates.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks import shop_script_gold as gold
from benchmarks import shop_script_silver as silver

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "true",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
}
# What stands in a row together can be done side by side.
STEPS = (
    ("bronze.orders", "bronze.customers", "bronze.products", "bronze.exchange_rates"),
    ("silver.exchange_rates", "silver.customers", "silver.products"),
    ("silver.orders",),
    ("silver.order_items", "silver.addresses"),
    ("gold.order_lines", "gold.customer_orders"),
    ("gold.product_recommendations", "gold.product_sales", "gold.revenue", "gold.customer_sales"),
    ("gold.revenue_trends", "gold.product_performance", "gold.customer_lifetime_value"),
)


@dataclass(frozen=True)
class Shop:
    """One day's run: where its files and tables are, and what the pipeline's conf says."""

    spark: SparkSession
    data: Path
    lake: Path
    day: int
    run_date: date
    given: dict[str, Any]

    def table(self, name: str) -> DataFrame:
        """Return a table as it stands."""
        return self.spark.read.format("delta").load(self.path(name))

    def new(self, name: str) -> DataFrame:
        """Return what this day brought to a table."""
        return self.table(name).where(F.col("_delivery") == self.day)

    def path(self, name: str) -> str:
        """Return where a table is."""
        return str(self.lake / name.replace(".", "/"))

    def lines(self, source: str, day: int) -> DataFrame:
        """Return the lines of a source's files of a day, with the file that each stands in."""
        files = self.spark.read.text(str(self.data / f"day{day}" / source))
        return files.select(F.col("value").alias("payload"), F.col("_metadata.file_name").alias("_landing_file"))

    def header(self, source: str) -> list[str]:
        """Return the columns of an extract."""
        (file,) = (self.data / f"day{self.day}" / source).iterdir()
        with file.open() as lines:
            return lines.readline().rstrip("\n").split(",")


def session(settings: dict[str, str]) -> SparkSession:
    """Start Spark, with these settings besides the script's own."""
    builder = SparkSession.builder.appName("shop_script").master("local[2]")
    for key, value in {**SETTINGS, **settings}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def refresh(shop: Shop, listen: Callable[[str], object] = lambda _: None) -> dict[str, float]:
    """Bring all tables up to the day, and return the seconds that each took."""
    seconds: dict[str, float] = {}

    def make(name: str) -> None:
        listen(name)
        started = time.monotonic()
        MAKERS[name](shop)
        seconds[name] = time.monotonic() - started

    with ThreadPoolExecutor(2) as pool:
        for names in STEPS:
            list(pool.map(make, names))
    return seconds


def bronze_orders(shop: Shop) -> None:
    """Append payloads whose delivery id is new."""
    delivery_id = F.get_json_object("payload", "$.delivery_id")
    arrived = shop.lines("orders", shop.day).withColumn("_record_id", F.coalesce(delivery_id, F.sha2("payload", 256)))
    if shop.day > 0:
        ids = F.broadcast(arrived.select("_record_id"))
        known = shop.table("bronze.orders").select("_record_id").join(ids, on="_record_id", how="semi")
        arrived = arrived.join(F.broadcast(known), on="_record_id", how="anti")
    append(shop, "bronze.orders", arrived.dropDuplicates(["_record_id"]))


def bronze_extract(source: str) -> Callable[[Shop], None]:
    """Return what appends the lines of an extract that the extract before did not have."""

    def load(shop: Shop) -> None:
        arrived = shop.lines(source, shop.day).where(F.col("payload") != ",".join(shop.header(source)))
        if shop.day > 0:
            before = shop.lines(source, shop.day - 1).select("payload")
            arrived = arrived.join(F.broadcast(before), on="payload", how="anti")
        append(shop, f"bronze.{source}", arrived.withColumn("_record_id", F.sha2("payload", 256)))

    return load


def append(shop: Shop, name: str, rows: DataFrame) -> None:
    """Append raw records, with the day that brought them."""
    engine = {"_delivery": F.lit(shop.day), "_position": F.lit(0), "_received_at": F.current_timestamp()}
    rows.withColumns(engine).write.format("delta").mode("append").save(shop.path(name))


def overwrite(name: str, make: Callable[[Shop], DataFrame]) -> Callable[[Shop], None]:
    """Return what computes a gold table in full."""
    return lambda shop: make(shop).write.format("delta").mode("overwrite").save(shop.path(name))


MAKERS: dict[str, Callable[[Shop], None]] = {
    "bronze.orders": bronze_orders,
    **{f"bronze.{source}": bronze_extract(source) for source in ("customers", "products", "exchange_rates")},
    **silver.MAKERS,
    **{name: overwrite(name, make) for name, make in gold.MAKERS.items()},
}


def load(spark: SparkSession, data: Path, lake: Path, day: int, run_date: date) -> Shop:
    """Return a day's run with what the pipeline's conf says."""
    conf = Path(__file__).resolve().parents[1] / "conf" / "pipelines" / "shop.yaml"
    return Shop(spark, data, lake, day, run_date, yaml.safe_load(conf.read_text())["parameters"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--day", type=int, choices=(0, 1), required=True)
    options = parser.parse_args()
    refresh(load(session({}), options.data, options.lake, options.day, date.today()))
