"""A tiny pipeline for the tests of flows: readings of sensors, and how many there are a place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONF = """
description: Readings of a few sensors
schedule: {cron: 15 4 * * 1, zone: Asia/Tokyo}
sources:
  readings: {format: json, delivers: events, idempotency_key: $.delivery_id, key: $.id, system: sensors}
expectations:
  silver.readings:
    - {rule: unique, columns: [place]}
"""
MODULES = {
    "bronze/readings.py": '''
"""Readings as delivered."""
from medallion.tables import Bronze

table = Bronze(source="readings")
''',
    "silver/readings.py": '''
"""One row a reading."""
import os
import time

from pyspark.sql import functions as F

from medallion.tables import CARRIED, Silver

table = Silver(
    reads="{name}.bronze.readings",
    key=("id",),
    sequence=("at",),
    columns={"id": ("string", "Id"), "at": ("bigint", "When"), "place": ("string", "Where")},
)


@table.transform
def readings(records):
    def held(place):
        while os.path.exists("{hold}"):
            time.sleep(0.1)
        return place

    parsed = F.from_json("payload", "id string, at bigint, place string")
    place = {place}
    return records.withColumn("r", parsed).select("r.id", "r.at", place.alias("place"), *CARRIED)
''',
    "gold/places.py": '''
"""One row a place."""
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="{name}.silver.readings",
    dimensions={"place": "place"},
    measures={"readings": Measure("count")},
    columns={"place": ("string", "Where"), "readings": ("bigint", "Readings")},
)
''',
}


def modules(name: str, held_by: Path | None = None) -> dict[str, str]:
    """Return the modules of a pipeline of this name; silver's Spark job lasts as long as the file exists."""
    filled = {
        "{name}": name,
        "{hold}": str(held_by),
        "{place}": 'F.udf(held)("r.place")' if held_by else 'F.col("r.place")',
    }
    found = dict(MODULES)
    for path, text in MODULES.items():
        for word, value in filled.items():
            text = text.replace(word, value)
        found[path] = text
    return found


def reading(number: int, place: str) -> Mapping[str, Any]:
    return {"delivery_id": f"d{number}", "id": f"r{number}", "at": number, "place": place}
