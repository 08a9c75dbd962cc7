"""What all ways of the overhead benchmark share: where things lie, and what Spark is given.

``python -m benchmarks.lakes --data FOLDER --landing FOLDER --day 0`` delivers a day's files to a landing.
"""

import argparse
from pathlib import Path

from medallion import conf as conf_door
from medallion.conf import Conf
from medallion.landing import Landing, Manifest

PROJECT = Path(__file__).resolve().parents[1]
SOURCES = ("customers", "products", "exchange_rates", "orders")
NOW = "2026-01-30T06:00:00+00:00"  # after the second day; tenure and activity count from here
# For every way the same, as fits a million orders on two cores; JVM options are Java's own defaults.
SPARK = {
    "spark.driver.memory": "4g",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.sql.shuffle.partitions": "8",
}


def conf_of(landing: Path, lake: Path, ops: Path | None = None) -> Conf:
    """Return the shop's conf with a landing and a lake in these folders."""
    return conf_door.load("shop", overrides(landing, lake, ops), PROJECT)


def overrides(landing: Path, lake: Path, ops: Path | None = None) -> list[str]:
    """Return what a call of the engine is told besides its conf; lakes of one ``ops`` share a warm server."""
    roots = {
        "landing": landing,
        "ops": ops or lake / "ops",
        **{layer: lake / layer for layer in ("bronze", "silver", "gold")},
    }
    return [
        *[f"storage.{layer}.root={folder.resolve()}" for layer, folder in roots.items()],
        *[f"spark.conf.{key}={value}" for key, value in SPARK.items()],
        "spark.master=local[2]",
    ]


def land(landing: Path, data: Path, day: int) -> list[Manifest]:
    """Deliver a day's files: each file of orders is a delivery of its own, each extract another."""
    conf = conf_of(landing, landing)
    return [
        Landing(conf, source).deliver([(file.name, file.read_bytes())])
        for source in SOURCES
        for file in sorted((data / f"day{day}" / source).iterdir())
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--day", type=int, choices=(0, 1), required=True)
    options = parser.parse_args()
    land(options.landing, options.data, options.day)
