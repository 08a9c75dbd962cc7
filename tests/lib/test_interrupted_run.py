"""A run that is interrupted ends what its steps do, also what they only begin after they were told."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medallion import run
from medallion.landing import Landing
from medallion.step import Outcome
from tests.conftest import Lakehouse

CONF = """
description: Doors and rooms
sources:
  doors: {format: csv, delivers: snapshot, key: id, system: house}
  rooms: {format: csv, delivers: snapshot, key: id, system: house}
"""
BRONZE = "from medallion.tables import Bronze\n\ntable = Bronze(source='{name}')\n"
SILVER = '''
"""One row a {name}."""
import time
from pathlib import Path
from pyspark.sql import Window
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver

table = Silver(
    reads="house.bronze.{name}",
    key=("id",),
    sequence=("_delivery",),
    columns={{"id": ("string", "Id"), "colour": ("string", "Colour")}},
)


def until_there(file):
    while not Path("{folder}", file).exists():
        time.sleep(0.05)
'''
DOORS = """

@table.transform
def doors(records):
    until_there("waiting")
    return records.select(F.col("fields")["id"].alias("id"), F.col("fields")["colour"].alias("colour"), *CARRIED)
"""
ROOMS = """

@table.transform
def rooms(records):
    Path("{folder}", "waiting").touch()
    until_there("go")
    # Behind a window, or Spark would sleep while it plans; the text null, for want of a result.
    first = records.withColumn("n", F.row_number().over(Window.partitionBy("fields.id").orderBy("_delivery")))
    slept = F.expr("java_method('java.lang.Thread', 'sleep', n * 15000L)")
    colour = F.concat_ws("", F.col("fields")["colour"], F.replace(slept, F.lit("null"), F.lit("")))
    return first.select(F.col("fields")["id"].alias("id"), colour.alias("colour"), *CARRIED)
"""


def test_a_step_between_two_queries_does_not_go_on(
    scratch: Callable[..., Lakehouse], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = {f"bronze/{name}.py": BRONZE.format(name=name) for name in ("doors", "rooms")}
    modules |= {
        f"silver/{name}.py": (SILVER + code).format(name=name, folder=tmp_path)
        for name, code in [("doors", DOORS), ("rooms", ROOMS)]
    }
    house = scratch("house", modules, CONF)
    for name in ("doors", "rooms"):
        Landing(house.conf, name).deliver([(f"{name}.csv", b"id,colour\n1,red\n")])
    cancel = house.sessions.cancel

    def cancel_before_the_query() -> None:
        cancel()
        time.sleep(0.1)
        (tmp_path / "go").touch()

    def interrupt(said: Outcome | str) -> None:
        if isinstance(said, Outcome) and said.table == "house.silver.doors":
            raise KeyboardInterrupt

    monkeypatch.setattr(house.sessions, "cancel", cancel_before_the_query)
    running = run.prepare(house.conf)

    with pytest.raises(KeyboardInterrupt):
        run.run_tables(running, house.sessions, list(running.tables), listen=interrupt)

    assert running.lake.state("house.silver.doors") is not None
    assert running.lake.state("house.silver.rooms") is None
