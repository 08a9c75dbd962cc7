"""Java options in conf: what Spark would answer with pages of help is refused in a line."""

import re

import pytest

from medallion import conf, spark_conf
from medallion.errors import ConfError
from tests.conftest import PROJECT

OPTION = "spark.driver.extraJavaOptions"


def test_the_size_of_the_heap_is_a_setting_of_its_own() -> None:
    loaded = conf.load("shop", [f"spark.conf.{OPTION}=-XX:+UseSerialGC -Xmx3g"], PROJECT)

    with pytest.raises(ConfError, match=re.escape(f"{OPTION}: found -Xmx3g; wanted spark.driver.memory: 3g")):
        spark_conf.java_options(loaded)


def test_other_options_stay_beside_where_the_log_is_set_up() -> None:
    loaded = conf.load("shop", [f"spark.conf.{OPTION}=-XX:+UseSerialGC"], PROJECT)

    assert spark_conf.java_options(loaded)[OPTION].startswith("-XX:+UseSerialGC -Dlog4j2.configurationFile=file://")
