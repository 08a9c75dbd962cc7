"""Whether the tables of two lakes say the same: rows and a hash of the public columns of silver and gold."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.lakes import conf_of
from medallion import gate, graph
from medallion.lake import Lake
from medallion.tables import layer_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Content:
    """What a table says, in a form that can be compared: rows, and the sum of a hash of each."""

    rows: int
    hashes: int


def of_engine(spark: "SparkSession", lake: Path) -> dict[str, Content]:
    """Return the content of the tables as their readers see them: versions that passed, tombstones hidden."""
    conf = conf_of(lake, lake)
    found = {}
    for name, table in graph.load(conf).items():
        if layer_of(name) == "bronze":
            continue
        state = Lake(conf).state(name)
        if state is None:
            found[name] = Content(0, 0)
            continue
        found[name] = content(gate.public(table, gate.read_version(spark, state, state.good)))
    return found


def of_script(spark: "SparkSession", lake: Path) -> dict[str, Content]:
    """Return the content of the script's tables, of the same columns."""
    found = {}
    for name, table in graph.load(conf_of(lake, lake)).items():
        if layer_of(name) != "bronze":
            rows = spark.read.format("delta").load(str(lake / name.split(".", 1)[1].replace(".", "/")))
            found[name] = content(rows.select(*table.columns))
    return found


def differences(left: Mapping[str, Content], right: Mapping[str, Content]) -> list[str]:
    """Say which tables differ, and how."""
    return [
        f"{name}: {left[name].rows:,} rows against {right[name].rows:,}"
        + ("" if left[name].rows != right[name].rows else ", of other content")
        for name in left
        if left[name] != right[name]
    ]


def content(rows: "DataFrame") -> Content:
    """Return what a table's rows say, in whatever order they are."""
    from pyspark.sql import functions as F

    # As JSON with all nulls: a hash of columns passes over a null, wherever in the row it stands.
    row = F.to_json(F.struct(*rows.columns), {"ignoreNullFields": "false"})
    found = rows.agg(F.count("*"), F.sum(F.xxhash64(row).cast("decimal(38,0)"))).first()
    return Content(found[0], int(found[1] or 0)) if found else Content(0, 0)
