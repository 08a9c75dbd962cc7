"""Tables by name in Spark SQL."""

from collections.abc import Callable
from typing import Any

from medallion import run
from medallion.catalog import views
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
