"""A Spark of our own whose JVM has ended is stopped; one that cannot stop says why."""

from types import SimpleNamespace
from typing import Any

import pytest
from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError

from medallion import session


class Answered(Py4JJavaError):
    """What Spark itself raises, without a JVM to ask for its words."""

    def __init__(self) -> None:
        Py4JError.__init__(self, "an error occurred while calling o1.stop")

    def __str__(self) -> str:
        return "an error occurred while calling o1.stop"


def _root(error: Exception) -> Any:
    def stop() -> None:
        raise error

    return SimpleNamespace(stop=stop)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        Py4JNetworkError("Answer from Java side is empty"),
        Py4JError("org.apache.spark.sql.classic.SparkSession does not exist in the JVM"),
    ],
)
def test_a_spark_without_its_jvm_is_stopped(error: Exception) -> None:
    session._stop(_root(error))


def test_a_spark_that_cannot_stop_says_why() -> None:
    with pytest.raises(Py4JJavaError):
        session._stop(_root(Answered()))
