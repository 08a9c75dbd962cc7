"""How Spark is set up under a conf, wherever its JVM is: settings, Java options, environment variables."""

import os
import sys
from pathlib import Path

from medallion import log_files, master
from medallion.conf import Conf
from medallion.errors import ConfError

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # What is cached is read once or twice: packing it costs more than it saves.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    # A pipeline has hundreds of queries: of 100 classes that Spark keeps, each run of a process compiles all anew.
    "spark.sql.codegen.cache.maxEntries": "2000",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Else PySpark tells the JVM of each call of a function of columns where it was written, in four more calls.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # Six blocks of a deletion vector: no change feed of a file then outgrows what Delta reads back (`log_files`).
    "spark.sql.files.maxRecordsPerFile": str(log_files.FILE_ROWS),
    # What stays is up to maintenance, by who needs it; readers look whether files are there before they read.
    "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration": "false",
    # Small tables: every job that lists or replays a log costs more than its data.
    "spark.databricks.delta.snapshotPartitions": "1",
    # Each log that is kept open holds some megabytes, and the session that opened it: Delta's 10,000 fill any heap.
    "spark.databricks.delta.delta.log.cacheSize": "128",
    # Each checksum of a version would name all files, for nobody: this Delta reads them from its log.
    "spark.databricks.delta.allFilesInCrc.enabled": "false",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
}

PARTITIONS = "spark.sql.shuffle.partitions"
# For a step whose whole input is small: compiling code for each query, adapting it at run time and spreading
# it over partitions then cost several times what the data does (measured: docs/performance.md).
SMALL = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    PARTITIONS: "1",
    # A small file is sooner written anew than given a deletion vector, and stays one file.
    "spark.databricks.delta.merge.deletionVectors.persistent": "false",
}
# For queries of a refresh that moves few rows, of tables of any size: nothing to spread, nothing to adapt to.
FEW_ROWS = {"spark.sql.adaptive.enabled": "false", PARTITIONS: "2"}
EXCLUDED = "spark.sql.optimizer.excludedRules"
# Works out each projection of local rows while a query is planned, interpreted, in a time that grows with the square of
# their columns. Of a few rows it spares jobs.
LOCAL_ROWS = "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation"
CONNECT_MODE = "SPARK_CONNECT_MODE_ENABLED"  # has pyspark make a server's expressions, in all of the process


def settings(conf: Conf) -> dict[str, str]:
    """Return the settings that decide how Spark works under a conf, wherever its JVM is."""
    spark = conf.platform.spark
    return {**SETTINGS, **spark.conf, **({"spark.master": spark.master} if spark.master else {})}


def launched_with(conf: Conf) -> dict[str, str]:
    """Return the settings to start a JVM of Spark with under a conf."""
    return {**settings(conf), **java_options(conf)}


def environment(conf: Conf) -> dict[str, str]:
    """Return the environment variables for a Spark server under a conf: ours, without what makes a client of it."""
    prepare_environment(loopback=not master.is_cluster(conf.platform.spark.master))
    return {key: value for key, value in os.environ.items() if key not in (CONNECT_MODE, "SPARK_REMOTE")}


def prepare_environment(*, loopback: bool) -> None:
    """Have Spark use this Python, the Java that set-up brought along, and where it is alone this machine's loopback."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if loopback:  # executors on other machines could not reach the driver there
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    brought = Path(sys.prefix, "java")
    if "JAVA_HOME" not in os.environ and (brought / "bin" / "java").exists():
        os.environ["JAVA_HOME"] = str(brought)


def java_options(conf: Conf) -> dict[str, str]:
    """Add to conf's Java options that Spark's log keeps to errors, without its start-up lines.

    Raises ConfError where they give the heap's size: Spark answers that with all that spark-submit takes.
    """
    option = "spark.driver.extraJavaOptions"
    given = conf.platform.spark.conf.get(option, "")
    heap = next((one for one in given.split() if one.startswith("-Xmx")), None)
    if heap:
        raise ConfError(f"spark.conf.{option}: found {heap}; wanted spark.driver.memory: {heap.removeprefix('-Xmx')}")
    settings = conf.project / "conf" / "spark" / "log4j2.properties"
    return {option: f"{given} -Dlog4j2.configurationFile={settings.as_uri()}".strip()}
