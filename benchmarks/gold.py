"""What a refresh of gold costs by what changed, against one in full: the same tables, one process a size.

``python -m benchmarks.gold [--lines 1000000,10000000] [--repeats 3] [--shares 0.0001,0.001,0.01,0.1] [--docs]``

The refreshes of a mart (order lines with their orders and customers), of an aggregate over it and of one over silver
are timed after some of the newest lines changed, or lines all over history; in full after a small change, of the
largest sizes only at first. Figures of each size stay in data/bench/gold; ``--docs`` writes those there are to
docs/performance.md.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import gold_report
from benchmarks.gold_lake import MART, PRODUCTS, REVENUE, GoldLake
from benchmarks.watch import Watch

ROOT = Path(__file__).resolve().parents[1] / "data" / "bench" / "gold"
WHERE = ("recent", "spread")
FIXED = 10_000  # lines that change whatever the size
_TABLES = (MART, REVENUE, PRODUCTS)
_ONCE = 0.05  # a larger share is changed once only
_AGAIN = 20_000_000  # lines: of more the first refresh in full, which takes many minutes, is the only one


def one(folder: Path, lines: int, repeats: int, shares: Sequence[float]) -> None:
    """Measure one size, and keep what was found beside its folder, as far as it came.

    That is the runs, and at the end the most memory that was resident at once, in bytes.
    """
    shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    watch = Watch([os.getpid()])
    lake = GoldLake(folder, lines)
    runs: list[dict[str, Any]] = []
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    found: dict[str, Any] = {"lines": lines, "runs": runs, "repeats": repeats, **machine}
    kept = folder.with_suffix(".json")

    def refresh(way: str, rows: int, where: str, repeat: int) -> None:
        for name in _TABLES:
            began = time.monotonic()
            outcome = lake.refresh(name, f"runtime.refresh={way}")
            seconds = round(time.monotonic() - began, 2)
            told = {"way": way, "rows": rows, "where": where, "table": name, "seconds": seconds, "repeat": repeat}
            runs.append({**told, "technique": outcome.technique, "reason": outcome.reason})
            kept.write_text(json.dumps(found, indent=1))
            sys.stderr.write(f"{lines:,} {way} {rows:,} {where} {name} {outcome.technique} {seconds}\n")

    lake.generate()
    refresh("full", lines, "first", 0)
    changes = sorted({*(int(lines * share) for share in shares), FIXED})
    for repeat in range(repeats):
        for rows in changes:
            for where in WHERE:
                if rows > lines * _ONCE and repeat:
                    continue
                lake.change(rows, where)
                refresh("incremental", rows, where, repeat)
        if lines <= _AGAIN:
            lake.change(min(changes), "spread")
            refresh("full", min(changes), "all", repeat)
    lake.close()
    watch.close()
    found["peak_bytes"] = watch.peak_bytes(started, time.monotonic())
    kept.write_text(json.dumps(found, indent=1))


def main() -> None:
    """Measure sizes one after another, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", default="", help="sizes, with commas; none: only report")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--shares", default="0.0001,0.001,0.01,0.1")
    parser.add_argument("--folder", type=Path, default=ROOT)
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    shares = [float(share) for share in options.shares.split(",")]
    for lines in [int(one) for one in options.lines.split(",") if one]:
        one(options.folder / str(lines), lines, options.repeats, shares)
    sizes = [json.loads(path.read_text()) for path in sorted(options.folder.glob("*.json"))]
    if options.docs:
        gold_report.write(sizes)
    sys.stdout.write(gold_report.table(sizes) + "\n")


if __name__ == "__main__":
    main()
