"""The one door to Spark: builds the session, gives each step a fresh one, registers tables by name."""

import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.conf import Conf
from medallion.errors import SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Small tables: every job that lists or replays a log costs more than its data.
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
}

# For a step whose whole input is small: compiling code for each query, adapting it at run time and spreading
# it over partitions then cost several times what the data does (measured: docs/performance.md).
_SMALL = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    # A small file is sooner written anew than given a deletion vector, and stays one file.
    "spark.databricks.delta.merge.deletionVectors.persistent": "false",
}
SMALL_BYTES = 2 * 1024 * 1024  # of Parquet, some ten thousands of rows; interpreted, more would take long


class Sessions:
    """One Spark application; `fresh` gives every step a session of its own.

    Threads that share a session overwrite each other's commit metadata, so none is ever shared.
    """

    def __init__(self, conf: Conf) -> None:
        self._conf = conf
        self._root: SparkSession | None = None
        self._starting = threading.Lock()

    def start(self) -> "SparkSession":
        """Start Spark if it is not up yet, and return its first session; safe from several threads."""
        with self._starting:
            if self._root is None:
                self._root = self._build()
            return self._root

    def fresh(self, input_bytes: int = SMALL_BYTES) -> "SparkSession":
        """Return a session that shares Spark and its catalog, but neither settings nor temporary views.

        It is set up for an input of so many bytes.
        """
        root = self.start()
        if self._conf.platform.spark.remote:
            from pyspark.sql import SparkSession

            session = SparkSession.builder.remote(self._conf.platform.spark.remote).create()
            _apply(session, self._conf)
        else:
            session = root.newSession()
        for key, value in _SMALL.items() if input_bytes < SMALL_BYTES else ():
            session.conf.set(key, value)
        return session

    def cancel(self) -> None:
        """End what Spark is doing just now; a commit that is not made yet is not made."""
        if self._root is None:
            return
        if self._conf.platform.spark.remote:
            self._root.interruptAll()
        else:
            self._root.sparkContext.cancelAllJobs()

    def stop(self) -> None:
        """Stop what `start` started."""
        with self._starting:
            if self._root is not None:
                self._root.stop()
                self._root = None

    def _build(self) -> "SparkSession":
        _prepare_environment()
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession

        spark = self._conf.platform.spark
        if spark.remote:
            session = SparkSession.builder.remote(spark.remote).create()
            _apply(session, self._conf)
            return session
        builder = SparkSession.builder.appName(f"medallion {self._conf.name}")
        if "SPARK_ENV_LOADED" in os.environ:  # under spark-submit, which says the master, and how to log until now
            builder = builder.config("spark.log.level", "WARN")
        elif spark.master:
            builder = builder.master(spark.master)
        for key, value in {**_SETTINGS, **spark.conf, **_java_options(self._conf)}.items():
            builder = builder.config(key, value)
        try:
            return builder.getOrCreate()
        except PySparkRuntimeError as error:
            raise SetupError(f"Spark does not start: {error}; is there a Java 17? `make setup` brings one") from None


def register(session: "SparkSession", views: Iterable[tuple[str, str]]) -> None:
    """Make tables known by name, for SQL and notebooks: pairs of ``shop_silver.orders`` and a SELECT."""
    for name, select in views:
        session.sql(f"CREATE DATABASE IF NOT EXISTS {name.split('.')[0]}")
        session.sql(f"CREATE OR REPLACE VIEW {name} AS {select}")


def _apply(session: "SparkSession", conf: Conf) -> None:
    """Give a Connect session the settings that a session may change."""
    for key, value in {**_SETTINGS, **conf.platform.spark.conf}.items():
        if session.conf.isModifiable(key):
            session.conf.set(key, value)


def _prepare_environment() -> None:
    """Have Spark use this Python, this machine's loopback, and the Java that set-up brought along."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    brought = Path(sys.prefix, "java")
    if "JAVA_HOME" not in os.environ and (brought / "bin" / "java").exists():
        os.environ["JAVA_HOME"] = str(brought)


def _java_options(conf: Conf) -> dict[str, str]:
    """Add to conf's Java options that Spark's log keeps to errors, without its start-up lines."""
    option = "spark.driver.extraJavaOptions"
    settings = conf.project / "conf" / "spark" / "log4j2.properties"
    return {
        option: f"{conf.platform.spark.conf.get(option, '')} -Dlog4j2.configurationFile={settings.as_uri()}".strip()
    }
