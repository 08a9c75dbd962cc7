"""A small pipeline `sensors`: JSON in bronze, a personal column in silver, an aggregate that can fail in gold."""

CONF = """
description: Readings of sensors
sources:
  readings: {format: json, delivers: events, system: gateway, idempotency_key: $.id, key: $.id}
expectations:
  silver.readings:
    - {rule: not_null, column: value, severity: quarantine, description: A reading without a value is none}
  gold.keepers:
    - {rule: range, column: highest, max: 100, severity: fail}
"""
BRONZE = '''
"""sensors.bronze.readings: one row per delivered reading."""

from medallion.tables import Bronze

table = Bronze(source="readings")
'''
SILVER = '''
"""sensors.silver.readings: one row per reading."""

from pyspark.sql import functions as F

from medallion.tables import CARRIED, Silver

table = Silver(
    reads="sensors.bronze.readings",
    key=("reading_id",),
    sequence=("_delivery", "_position"),
    columns={"reading_id": ("string", "its id"), "keeper": ("string", "who read it"), "value": ("int", "degrees")},
    personal=("keeper",),
)


@table.transform
def readings(records):
    sent = records.withColumn("sent", F.from_json("payload", "id string, by struct<name:string>, value int"))
    return sent.select(
        F.col("sent.id").alias("reading_id"), F.col("sent.by.name").alias("keeper"), F.col("sent.value"), *CARRIED
    )
'''
GOLD = '''
"""sensors.gold.keepers: one row per keeper."""

from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="sensors.silver.readings",
    dimensions={"keeper": "keeper"},
    measures={"readings": Measure("count"), "highest": Measure("max", "value")},
    columns={"keeper": ("string", "who"), "readings": ("bigint", "how many"), "highest": ("int", "the highest")},
)
'''
MODULES = {"bronze/readings.py": BRONZE, "silver/readings.py": SILVER, "gold/keepers.py": GOLD}
