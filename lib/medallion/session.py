"""The one door to Spark: builds the session, gives each step a fresh one, registers tables by name."""

import atexit
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from medallion import causes, java, master, orphans
from medallion.conf import Conf
from medallion.errors import SetupError
from medallion.small import SMALL_BYTES, SMALL_ROWS
from medallion.spark_conf import (
    CONNECT_MODE,
    EXCLUDED,
    FEW_ROWS,
    LOCAL_ROWS,
    PARTITIONS,
    SETTINGS,
    SMALL,
    java_options,
    prepare_environment,
    settings,
)
from medallion.warm import join as warm_join

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from medallion.warm.connect import Connected

_MANY_BYTES = 256 * 1024  # of Arrow, held by a session: a thousand rows or two
_ENDING_SECONDS = 5.0  # from the end of a connection to that of the process behind it


class Sessions:
    """One Spark, our own or a server's; `fresh` gives every step a session of its own.

    Threads that share a session overwrite each other's commit metadata, so none is ever shared.
    """

    def __init__(self, conf: Conf, say: Callable[[str], None] | None = None) -> None:
        """Make sessions for a conf; ``say`` is told, once, whose Spark it is if not simply our own."""
        self._conf = conf
        self._say = say or _say
        self._root: SparkSession | None = None
        self._connected: Connected | None = None
        self._starting = threading.Lock()

    def start(self) -> "SparkSession":
        """Start Spark, or connect to it, if that is not done yet, and return its first session; safe from threads."""
        with self._starting:
            if self._root is None:
                self._connected = self._connect()
                self._root = self._connected.root if self._connected else self._build()
            return self._root

    def fresh(self, input_bytes: int = SMALL_BYTES, input_rows: int = 0) -> "SparkSession":
        """Return a session that shares Spark and its catalog, but neither settings nor temporary views.

        It is set up for an input of so many bytes, and rows where that is known.
        """
        root = self.start()
        settings = SMALL if input_bytes < SMALL_BYTES and input_rows <= SMALL_ROWS else {}
        if self._connected is not None:
            return self._connected.fresh(settings)
        session = root.newSession()
        for key, value in settings.items():
            session.conf.set(key, value)
        return session

    def is_up(self) -> bool:
        """Tell whether Spark was started or connected to."""
        return self._root is not None

    def cancel(self) -> None:
        """End what all sessions are doing just now; a commit that is not made yet is not made."""
        if self._connected is not None:
            self._connected.cancel()
        elif self._root is not None:
            self._root.sparkContext.cancelAllJobs()

    def stop(self) -> None:
        """Stop what `start` started; a server stays up, without anything of ours."""
        with self._starting:
            if self._connected is not None:
                self._connected.stop()
                atexit.unregister(self.stop)
                _clients.discard(self)
                _leave_connect_mode()
            elif self._root is not None:
                _stop(self._root)
            self._root = self._connected = None

    def is_lost(self, error: Exception | None = None) -> bool:
        """Tell whether the Spark that we had has gone: our own, or the server that we were connected to.

        An error of a connection to our own may come a moment before the end of its process is known.
        """
        if self._connected is not None:
            return self._connected.is_lost()
        return self._root is not None and _jvm_has_ended(error)

    def explain(self, error: Exception) -> str:
        """Return in a line what Spark says of an error, or that it has gone."""
        if self.is_lost(error):
            whose = "the server it ran on" if self._connected is not None else "its JVM"
            why = "" if self._connected is not None else " (killed, perhaps for its memory)"
            return f"{whose} has ended{why}; whatever was committed stays, the next run takes up the rest"
        return causes.told(error)

    def _connect(self) -> "Connected | None":
        """Become a client of the server that conf names, or of the warm one that suits it; None where there is none.

        Raises SetupError where conf names one that cannot be used.
        """
        spark = self._conf.platform.spark
        if spark.remote and _runs_spark():
            raise SetupError(
                f"spark.remote: {spark.remote}: this process runs a Spark of its own; wanted another process"
            )
        if not spark.remote and (not spark.warm or _is_submitted() or _runs_spark()):
            return None
        try:
            connected = warm_join.connected(self._conf, settings(self._conf), _open_remote, self._say)
        finally:
            _leave_connect_mode()
        if connected is not None:
            _clients.add(self)
            os.environ[CONNECT_MODE] = "1"
            atexit.register(self.stop)
        return connected

    def _build(self) -> "SparkSession":
        submitted = _submitted_master()
        at = master.chosen(self._conf.platform.spark.master, submitted)
        prepare_environment(loopback=not master.is_cluster(at))
        from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession

        spark = self._conf.platform.spark
        _require_own()
        _quieten()
        builder = SparkSession.builder.appName(f"medallion {self._conf.name}")
        master.require_answer(at)
        if submitted:  # spark-submit said how to log until now
            builder = builder.config("spark.log.level", "ERROR")
        elif at:
            builder = builder.master(at)
        if submitted or master.is_cluster(at):  # conf's folders are not those of a Hadoop whose own are on HDFS
            builder = builder.config("fs.defaultFS", "file:///")
        for key, value in {**SETTINGS, **spark.conf, **java_options(self._conf)}.items():
            builder = builder.config(key, value)
        try:
            session = builder.getOrCreate()
        except PySparkRuntimeError as error:
            raise SetupError(f"Spark does not start: {error}; {java.trouble(os.environ)}") from None
        except Py4JJavaError as error:
            raise SetupError(f"Spark does not start: {master.first_line(error)}") from None
        orphans.announce(self._conf, _java_process())
        if submitted:  # perhaps by another Spark than that of our environment
            master.require_delta(session)
        master.require_executor(session, at, spark.executor_wait_seconds)
        return session


def _stop(session: "SparkSession") -> None:
    """Stop a Spark of our own; one whose JVM has gone already, as with a signal to all of a group, is stopped."""
    try:
        session.stop()
    except Exception as error:
        if not _is_unanswered(error):
            raise


def _java_process() -> int:
    """Return the process id of the JVM of our own Spark: our child, or with spark-submit our parent."""
    from pyspark import SparkContext

    started = getattr(SparkContext._gateway, "proc", None)
    return started.pid if started is not None else os.getppid()


def _jvm_has_ended(error: Exception | None) -> bool:
    """Tell whether the JVM that we started has gone; of one that started us nothing is known, we go with it."""
    from pyspark import SparkContext

    started = getattr(SparkContext._gateway, "proc", None)
    if started is None:
        return False
    with suppress(subprocess.TimeoutExpired):
        started.wait(_ENDING_SECONDS if error is not None and _is_unanswered(error) else 0)
    return started.poll() is not None


def _is_unanswered(error: Exception) -> bool:
    """Tell whether the JVM gave no answer: what py4j raises is a plain Py4JError where it ended while it was asked."""
    from py4j.protocol import Py4JError, Py4JJavaError

    return isinstance(error, (ConnectionError, Py4JError)) and not isinstance(error, Py4JJavaError)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def register(session: "SparkSession", views: Iterable[tuple[str, str]]) -> None:
    """Make tables known by name, for SQL and notebooks: pairs of ``shop_silver.orders`` and a SELECT."""
    for name, select in views:
        session.sql(f"CREATE DATABASE IF NOT EXISTS {name.split('.')[0]}")
        session.sql(f"CREATE OR REPLACE VIEW {name} AS {select}")


@contextmanager
def set_for_few_rows(session: "SparkSession", *, few: bool = True) -> Iterator[None]:
    """Have a session's queries made for few rows, if they are few; what it had set before holds again afterwards.

    One that is set up for a small input is left as it is.
    """
    if session.conf.get(PARTITIONS) == SMALL[PARTITIONS]:
        few = False
    before = {key: session.conf.get(key) for key in FEW_ROWS} if few else {}
    for key in before:
        session.conf.set(key, FEW_ROWS[key])
    try:
        yield
    finally:
        for key, value in before.items():
            session.conf.set(key, str(value))


def is_remote(session: "SparkSession") -> bool:
    """Tell whether a session is one of a Spark Connect server."""
    return type(session).__module__.startswith("pyspark.sql.connect")


def from_arrow(session: "SparkSession", rows: "pa.Table") -> "DataFrame":
    """Return a table of Arrow as a relation; a Connect session cannot tell the types of one without rows by itself."""
    if rows.nbytes > _MANY_BYTES and LOCAL_ROWS not in (excluded := session.conf.get(EXCLUDED, "") or ""):
        session.conf.set(EXCLUDED, ",".join(filter(None, (excluded, LOCAL_ROWS))))
    if rows.num_rows:
        return session.createDataFrame(rows)
    from pyspark.sql.pandas.types import from_arrow_schema

    return session.createDataFrame([], from_arrow_schema(rows.schema))


_clients: set[Sessions] = set()  # those of this process that are connected to a server


def _open_remote(channel: Any) -> "SparkSession":
    """Return a session of the server at the end of a channel."""
    from pyspark.sql.connect.session import SparkSession as RemoteSession

    os.environ[CONNECT_MODE] = "1"
    _quieten()
    session: Any = RemoteSession.builder.channelBuilder(channel).create()
    return cast("SparkSession", session)


def _quieten() -> None:
    """Keep pyspark from printing what our callers tell: each error with its stack, a remark on each small window."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True
    warnings.filterwarnings("ignore", "WARN WindowExpression", UserWarning)


def _leave_connect_mode() -> None:
    """Have pyspark, and processes that we start, use a Spark of their own again once nothing here is connected."""
    if not _clients:
        os.environ.pop(CONNECT_MODE, None)


def _require_own() -> None:
    """Raise SetupError where Spark of our own cannot be started, since pyspark is one kind in all of a process."""
    for sessions in [one for one in _clients if one.is_lost()]:
        sessions.stop()
    if _clients:
        raise SetupError(
            "this process is a client of a Spark server; wanted another process for a Spark of its own: restart it, "
            "or stop its sessions"
        )
    if "SPARK_REMOTE" in os.environ:
        raise SetupError("SPARK_REMOTE is set; wanted the server in conf: spark.remote=sc://host:port")


def _runs_spark() -> bool:
    """Tell whether this process runs a Spark of its own."""
    if "pyspark" not in sys.modules:
        return False
    from pyspark import SparkContext

    return SparkContext._active_spark_context is not None


def _is_submitted() -> bool:
    """Tell whether spark-submit started us, with a Spark that is ours."""
    return "PYSPARK_GATEWAY_PORT" in os.environ or "SPARK_ENV_LOADED" in os.environ


def _submitted_master() -> str | None:
    """Return the master that spark-submit chose, None where it did not start us."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()  # or SparkConf does not know of the JVM that is up already
    return SparkConf().get("spark.master")
