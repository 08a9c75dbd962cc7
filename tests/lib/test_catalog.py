"""Tables by name in Spark SQL."""

from collections.abc import Callable
from typing import Any

import pytest

from medallion import run
from medallion.catalog import connect, path, versions, views
from medallion.errors import ConfError
from medallion.session import register

CONF = """
description: Rooms
sources:
  rooms: {format: csv, delivers: snapshot, key: id, system: house}
expectations:
  silver.rooms:
    - {rule: unique, columns: [colour]}
"""
MODULES = {
    "bronze/rooms.py": '"""Rooms."""\nfrom medallion.tables import Bronze\n\ntable = Bronze(source="rooms")\n',
    "silver/rooms.py": '''
"""One row a room."""
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver

table = Silver(
    reads="named.bronze.rooms",
    key=("id",),
    sequence=("_delivery",),
    deleted="is_gone",
    columns={"id": ("string", "Id"), "colour": ("string", "Colour")},
)


@table.transform
def rooms(records):
    gone = F.col("fields")["gone"] == "yes"
    return records.select(
        F.col("fields")["id"].alias("id"), F.col("fields")["colour"].alias("colour"), gone.alias("is_gone"), *CARRIED
    )
''',
}


def test_tables_are_known_by_name_in_every_session_at_their_last_good_version(scratch: Callable[..., Any]) -> None:
    lake = scratch("named", MODULES, CONF)
    lake.deliver("rooms", "id,colour,gone\n1,red,\n2,blue,\n3,green,yes\n", ending="csv")
    assert lake.run().passed
    lake.deliver("rooms", "id,colour,gone\n1,red,\n2,red,\n", ending="csv")
    assert not lake.run().passed  # two red rooms: this version is not for readers

    register(lake.sessions.fresh(), views(run.prepare(lake.conf)))

    rows = lake.sessions.fresh().sql("SELECT id, colour FROM named_silver.rooms ORDER BY id").collect()
    assert [tuple(row) for row in rows] == [("1", "red"), ("2", "blue")]
    assert lake.sessions.fresh().sql("SELECT count(*) FROM named_bronze.rooms").first()[0] == 4


def test_a_table_can_be_read_at_any_of_its_versions_by_its_path(scratch: Callable[..., Any], monkeypatch: Any) -> None:
    lake = scratch("named", MODULES, CONF)
    for colour in ("red", "blue"):
        lake.deliver("rooms", f"id,colour,gone\n1,{colour},\n", ending="csv")
        assert lake.run().passed
    monkeypatch.setenv("MEDALLION_HOME", str(lake.conf.project))
    roots = [
        f"storage.{layer}.root={lake.conf.root(layer)}" for layer in ("landing", "bronze", "silver", "gold", "ops")
    ]

    place = path("named.silver.rooms", roots)
    first, *_ = reversed([v for v in versions("named.silver.rooms", roots).itertuples() if v.standing != "verdict"])

    then = lake.sessions.fresh().sql(f"SELECT colour FROM delta.`{place}` VERSION AS OF {first.version}").collect()
    assert [row.colour for row in then] == ["red"]
    assert (first.standing, first.technique, first.reason, first.rows) == ("good", "full", "first load", 1)


def test_versions_tell_when_and_from_what_each_came_about(readings: Any) -> None:
    found = versions("lab.silver.readings")

    assert list(found["version"]) == [2, 1, 0]
    assert list(found["standing"]) == ["not passed", "verdict", "current"]
    assert found["reads"].iloc[2] == "lab.bronze.readings, all up to 0"
    assert str(found["at"].dt.tz) == "UTC"
    assert list(versions("lab.silver.readings", limit=1)["version"]) == [2]


def test_a_table_that_is_not_there_is_refused_by_name(readings: Any) -> None:
    for ask in (path, versions):
        with pytest.raises(ConfError, match=r"silver\.nothing: no such table; wanted one of lab\.silver\.readings"):
            ask("lab.silver.nothing")


def test_connecting_where_no_table_is_yet_says_what_makes_one(lab: Any) -> None:
    with pytest.raises(ConfError, match=r"lab: found no table in environment dev; wanted one to read: `medallion run"):
        connect("lab")
