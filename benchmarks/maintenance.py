"""What maintenance does to a bronze table of a thousand small files: files, bytes, and what a scan takes.

``python -m benchmarks.maintenance [--lines 200000] [--repeats 5] [--docs]``

Each file is what a delivery of 200 orders leaves. Scans read every payload, in a fresh session each; what is superseded
is let go of once a later delivery is there and conf's keep_versions have passed.
"""

import datetime as dt
import os
import shutil
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import lakes, page
from medallion import clock, commits, run
from medallion.account import Account, Mark
from medallion.lake import Lake
from medallion.maintain import sweep, work
from medallion.output import size
from medallion.session import Sessions

ROOT = Path(__file__).resolve().parents[1] / "data" / "bench" / "maintenance"
TABLE, SOURCE, FILES = "shop.bronze.orders", "landing.orders", 1000
PAYLOAD = """concat('{"order_id": "O-', id, '", "customer_id": "C-', id % 9000, '", "updated_at": "2026-01-',
    lpad(1 + id % 28, 2, '0'), 'T12:00:00Z", "lines": [{"sku": "', sha2(string(id), 256), '", "quantity": 1}]}')"""


@dataclass(frozen=True)
class Look:
    """How the table lies: files and bytes of its newest version, bytes of its folder, and seconds of a scan."""

    when: str
    files: int
    bytes: int
    disk: int
    seconds: float


class Orders:
    """A lake with one bronze table."""

    def __init__(self, lines: int) -> None:
        self.lines = lines
        self.conf = lakes.conf_of(ROOT / "landing", ROOT)
        self.lake = Lake(self.conf)
        self.sessions = Sessions(self.conf)

    def deliver(self, number: int, first: int, count: int, files: int) -> None:
        """Append orders as bronze stores them, in so many files."""
        frame = self.sessions.fresh(2**30).range(first, first + count)
        columns = {
            "_record_id": "sha2(string(id), 256)",
            "_identity": "sha2(string(id), 256)",
            "_key": "concat('O-', id)",
            "payload": PAYLOAD,
            "fields": "CAST(NULL AS map<string,string>)",
            "_rescued": "CAST(NULL AS map<string,string>)",
            "_payload_sha256": f"sha2({PAYLOAD}, 256)",
            "_problem": "CAST(NULL AS string)",
            "_batch_id": f"{number}L",
            "_delivery": f"{number}L",
            "_position": "id",
            "_landing_file": "'files/orders.json'",
            "_received_at": "current_timestamp()",
            "_ingested_at": "current_timestamp()",
            "_source_system": "'shop'",
        }
        frame = frame.selectExpr(*[f"{sql} AS {name}" for name, sql in columns.items()]).repartition(files)
        state = self.lake.state(TABLE)
        rows = {"read": count, "stored": count, "duplicates": 0}
        marks = {SOURCE: Mark(number, since=number - 1)}
        account = Account(f"run-{number}", "append", "benchmark", "", marks, rows, good=commits.SAME_COMMIT)
        commits.append(self.lake, commits.Target(TABLE, state, commits.APPEND_ONLY), frame, account)

    def look(self, when: str, repeats: int) -> Look:
        """Return how the table lies; the seconds are the median of some scans, after one that warms up."""
        seconds = []
        for _ in range(repeats + 1):
            began = time.monotonic()
            rows = self.sessions.fresh(2**30).read.format("delta").load(self.lake.path(TABLE))
            rows.selectExpr("count(*)", "sum(length(payload))").collect()
            seconds.append(time.monotonic() - began)
        sizes = self.lake.file_sizes(TABLE)
        disk = sweep.on_disk(Path(self.lake.path(TABLE))).bytes
        return Look(when, len(sizes), sum(sizes), disk, statistics.median(seconds[1:]))

    def maintain(self) -> float:
        """Maintain the pipeline, and return its seconds."""
        began = time.monotonic()
        for one in work.maintain(run.prepare(self.conf), self.sessions):
            sys.stderr.write(f"{one}\n")
            if one.error:
                raise SystemExit(one.error)
        return time.monotonic() - began


def measure(lines: int, repeats: int) -> tuple[list[Look], list[float]]:
    """Look at the table before maintenance, after it, and when what it superseded may go."""
    orders = Orders(lines)
    try:
        orders.deliver(1, 0, lines, FILES)
        looks = [orders.look("before", repeats)]
        seconds = [orders.maintain()]
        looks.append(orders.look("compacted", repeats))
        orders.deliver(2, lines, lines // FILES, 1)
        os.environ[clock.NOW] = (dt.datetime.now(dt.UTC) + dt.timedelta(days=3 * 365)).isoformat()
        seconds.append(orders.maintain())
        looks.append(orders.look("three years later", repeats))
    finally:
        os.environ.pop(clock.NOW, None)
        orders.sessions.stop()
    return looks, seconds


def table(looks: list[Look]) -> str:
    """Return the looks as a table in Markdown."""
    lines = ["| | files | bytes | on disk | scan, s |", "| --- | --: | --: | --: | --: |"]
    for one in looks:
        lines.append(f"| {one.when} | {one.files:,} | {size(one.bytes)} | {size(one.disk)} | {one.seconds:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and report."""
    options = page.options(__doc__, lines=200_000, repeats=5)
    shutil.rmtree(ROOT, ignore_errors=True)
    looks, seconds = measure(options.lines, options.repeats)
    found = table(looks)
    if options.docs:
        took = f"Maintenance took {seconds[0]:.0f} s, and {seconds[1]:.0f} s to let go of the files it had superseded."
        told = f"{options.lines:,} orders, {os.cpu_count()} cores; scans are medians of {options.repeats}. {took}"
        page.put("bench-maintenance", f"{told}\n\n{found}")
    sys.stdout.write(found + "\n")


if __name__ == "__main__":
    main()
