"""What writing changed rows into a large silver table costs: by the engine's commits, and by MERGE written by hand.

``python -m benchmarks.silver [--lines 10000000] [--repeats 3] [--docs]``

Each way has a copy of the same table, in the order the rows came and scattered over its files, and gets the same
changes, each time other ones, by turns: some of the newest lines, or lines all over history, a tenth of them new.
MERGE by hand knows between which keys the changes lie, as the engine does; once without deletion vectors, and once
with the table clustered by its key and compacted.
"""

import os
import shutil
import statistics
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import page
from benchmarks.gold_lake import LINES, NAME, GoldLake
from medallion import commits
from medallion.commits import Match
from medallion.held import Holder, named

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROOT = Path(__file__).resolve().parents[1] / "data" / "bench" / "silver"
KEY = ("order_id", "line_number")
SHARES = (0.001, 0.01)
WAYS = {
    "engine": "the engine",
    "merge": "MERGE",
    "rewritten": "MERGE, no deletion vectors",
    "clustered": "MERGE, clustered by key",
}


@dataclass(frozen=True)
class Run:
    """One write: how many rows changed, where, on which layout, by which way, and its seconds."""

    layout: str
    rows: int
    where: str
    way: str
    seconds: float


def measure(lake: GoldLake, repeats: int) -> list[Run]:
    """Time all ways on all layouts; one table a way, which goes on from change to change."""
    lake.generate()
    first = Path(lake.path(LINES))
    runs = []
    order = deque(WAYS)
    for layout in ("in order", "scattered"):
        copies = {way: first.with_name(f"{way}_{layout.replace(' ', '_')}") for way in WAYS}
        for way, folder in copies.items():
            _copy(lake, first, folder, way, layout)
        for repeat in range(repeats):
            for rows in (int(lake.lines * share) for share in SHARES):
                for where in ("recent", "spread"):
                    changed = lake.lines_changed(rows, where).persist()
                    changed.count()
                    order.rotate()
                    for way in order:
                        if way == "rewritten" and repeat:
                            continue  # it takes long
                        began = time.monotonic()
                        _write(lake, copies[way], way, changed)
                        runs.append(Run(layout, rows, where, way, time.monotonic() - began))
                        sys.stderr.write(f"{runs[-1]}\n")
                    changed.unpersist()
        for folder in copies.values():
            shutil.rmtree(folder)
    return runs


def _copy(lake: GoldLake, first: Path, folder: Path, way: str, layout: str) -> None:
    if layout == "in order" and way in ("engine", "merge"):
        shutil.copytree(first, folder)
        return
    spark = lake.sessions.fresh()
    rows = spark.read.format("delta").load(str(first))
    rows = rows if layout == "in order" else rows.repartition(max(2, lake.lines // 1_000_000), "product_id")
    properties = commits.CURATED | {"delta.enableDeletionVectors": str(way != "rewritten").lower()}
    rows.write.format("delta").options(**properties).save(str(folder))
    if way == "clustered":
        spark.sql(f"ALTER TABLE delta.`{folder}` CLUSTER BY ({KEY[0]})")
        spark.sql(f"OPTIMIZE delta.`{folder}` FULL").collect()


def _write(lake: GoldLake, folder: Path, way: str, changed: "DataFrame") -> None:
    """Write changed lines; the keys are fetched in either case, for the ranges between which they lie."""
    with Holder() as holder:
        within = holder.hold(changed.select(*KEY)).keys(named(KEY)).within
    if way == "engine":
        lake.merge(f"{NAME}.silver.{folder.name}", changed, within)
        return
    changed.createOrReplaceTempView("changed")
    changed.sparkSession.sql(
        f"MERGE INTO delta.`{folder}` t USING changed s ON {Match(KEY, within).condition} "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    ).collect()


def table(runs: list[Run]) -> str:
    """Return the medians as a table in Markdown."""
    lines = [
        f"| layout | changed | where | {' | '.join(WAYS.values())} |",
        "| --- | --: | --- |" + " --: |" * len(WAYS),
    ]
    for layout, rows, where in dict.fromkeys((run.layout, run.rows, run.where) for run in runs):
        cells = [
            statistics.median(
                run.seconds for run in runs if (run.layout, run.rows, run.where, run.way) == (layout, rows, where, way)
            )
            for way in WAYS
        ]
        told = " | ".join(f"{cell:.1f} ({cell / cells[1]:.2f})" for cell in cells)
        lines.append(f"| {layout} | {rows:,} | {where} | {told} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and report."""
    options = page.options(__doc__, lines=10_000_000, repeats=3)
    shutil.rmtree(ROOT, ignore_errors=True)
    lake = GoldLake(ROOT, options.lines)
    found = table(measure(lake, options.repeats))
    lake.close()
    if options.docs:
        told = f"{options.lines:,} lines, {os.cpu_count()} cores; seconds, medians of {options.repeats} in one process"
        page.put("bench-silver", f"{told} (without deletion vectors: 1), and of MERGE.\n\n{found}")
    sys.stdout.write(found + "\n")


if __name__ == "__main__":
    main()
