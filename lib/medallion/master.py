"""Spark's master: which one counts, whether it answers, and whether its Spark is one for us and has room.

Spark itself retries for a minute where nobody answers, and waits for ever where no executor can start.
"""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from medallion.errors import ConfError, SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LOCAL = re.compile(r"local(-cluster)?(\[[\d*,\s]+\])?")
_CLUSTER = re.compile(r"spark://[^\s,/]+:\d+(,[^\s,/]+:\d+)*|yarn|k8s://\S+")
_ANSWER_SECONDS = 5


def chosen(wanted: str | None, submitted: str | None) -> str | None:
    """Return the master to use, given conf's and, under spark-submit, its own; None: as Spark's own conf says.

    spark-submit has prepared what its master needs, so it wins over a local one in conf.

    Raises:
        ConfError: A text that is no master, or two clusters that differ.
    """
    for master, origin in ((wanted, "conf"), (submitted, "spark-submit")):
        if master is not None and not (_LOCAL.fullmatch(master) or _CLUSTER.fullmatch(master)):
            raise ConfError(
                f"spark.master: found {master!r} in {origin}; wanted a master such as local[2], spark://host:port, "
                "yarn or k8s://https://host:port"
            )
    if wanted is None or submitted is None or wanted == submitted:
        return submitted or wanted
    if not is_cluster(wanted):
        return submitted
    raise ConfError(
        f"spark.master: found {wanted} in conf, {submitted} in spark-submit (local[*] unless told otherwise); wanted "
        f"one: spark-submit --master {wanted}, or spark.master=null"
    )


def is_cluster(master: str | None) -> bool:
    """Tell whether tasks run on executors of a cluster, not in the driver's own process."""
    return master is not None and not _LOCAL.fullmatch(master)


def require_answer(master: str | None) -> None:
    """Raise SetupError where nobody listens at any address of a standalone cluster's master."""
    if master is None or not master.startswith("spark://"):
        return
    refusals = []
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS):
                return
        except (OSError, OverflowError) as error:  # overflow: a port beyond 65535
            refusals.append(f"{address}: {getattr(error, 'strerror', None) or error}")
    raise SetupError(
        f"spark.master: no master answers at {master} ({'; '.join(refusals)}); wanted a running cluster: start it, or "
        "name another --master"
    )


def require_delta(session: "SparkSession") -> None:
    """Stop Spark and raise SetupError where it has no Delta to go with ours."""
    from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
    from pyspark.sql import functions as F

    try:
        session.range(0).select(F.upper(F.lit("")))  # to resolve a function, Spark loads the catalog, which is Delta's
    except Py4JJavaError as error:
        wanted = _delta_package(session)
        session.stop()
        raise SetupError(
            f"this Spark cannot work with Delta: {first_line(error)} Wanted Delta's JARs: spark-submit --packages "
            f"{wanted}, or put them among Spark's own"
        ) from None


def _delta_package(session: "SparkSession") -> str:
    """Return the Maven coordinates of the Delta for this Spark, in the version of our environment."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        delta = version("delta-spark")
    except PackageNotFoundError:  # a driver need not have it
        delta = "<that of requirements.lock>"
    return f"io.delta:delta-spark_{'.'.join(session.version.split('.')[:2])}_2.13:{delta}"


def require_executor(session: "SparkSession", master: str | None, seconds: int) -> None:
    """Have an executor of the cluster do a small task; stop Spark and raise SetupError where none does in time."""
    if not is_cluster(master):
        return
    pool = ThreadPoolExecutor(1)
    try:
        error = pool.submit(session.range(0, 1, 1, 1).collect).exception(timeout=seconds)
        trouble = f"the cluster cannot run a task: {first_line(error)}; its executors' logs tell why" if error else None
    except TimeoutError:
        trouble = _no_room(session, seconds)
    finally:
        pool.shutdown(wait=False)
    if trouble:
        session.stop()
        raise SetupError(f"spark.master: {master}: {trouble}")


def first_line(error: BaseException) -> str:
    """Return what Java says of an error, without its stack."""
    java = getattr(error, "java_exception", None)
    said = str(java.getMessage() if java is not None else error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def _no_room(session: "SparkSession", seconds: int) -> str:
    memory = session.conf.get("spark.executor.memory", "1g")
    cores = session.conf.get("spark.executor.cores", None)
    asked = f"{memory} of memory" + (f" and {cores} cores" if cores else "")
    return (
        f"no executor within {seconds} s; wanted a worker with room for one of {asked}, and able to start it (the "
        "cluster's page and its workers' logs tell): lower spark.executor.memory or spark.executor.cores, wait for "
        "other applications to end, or raise spark.executor_wait_seconds"
    )
