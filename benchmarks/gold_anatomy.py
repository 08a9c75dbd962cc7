"""Where the seconds of a small refresh go, and what is left of them by each measure the engine takes against it.

``python -m benchmarks.gold_anatomy [--lines 1000000] [--repeats 5] [--docs]``

A thousand lines all over a table change, then a mart, an aggregate over it and one over silver are refreshed by what
changed: as shipped, and with one measure taken back at a time, by turns in one process. Jobs, and the seconds that any
of them ran, are from Spark's own event log.
"""

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import page
from benchmarks.gold_lake import MART, PRODUCTS, REVENUE, GoldLake
from medallion import changes, gold, held, session

ROOT = Path(__file__).resolve().parents[1] / "data" / "bench" / "anatomy"
SUBJECTS = {MART: "mart of three tables", REVENUE: "aggregate over it", PRODUCTS: "aggregate over silver"}
CHANGED = 1000
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "as shipped": {},
    "changes and rows stay in Spark": {"few": -1},
    "with adaptive execution, 16 partitions": {"settings": {}},
    "Delta's 50 snapshot partitions": {"settings": {"spark.databricks.delta.snapshotPartitions": "50"}},
}
# What Spark's jobs are for, by what is in their descriptions.
PARTS = {
    "the table's state": "Compute snapshot",
    "which files": "Filtering files",
}
_OTHER = "queries and the commit"


@dataclass(frozen=True)
class Refresh:
    """One refresh of one table: when, in seconds since 1970, and what Spark did meanwhile."""

    variant: str
    table: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True)
class Job:
    """One Spark job: when, in seconds since 1970, and what for."""

    began: float
    ended: float
    part: str


def measure(lines: int, repeats: int) -> tuple[list[Refresh], list[Job]]:
    """Refresh by turns, as shipped once before, to warm up; return what was refreshed, and all jobs."""
    events = ROOT / "events"
    shutil.rmtree(ROOT, ignore_errors=True)
    events.mkdir(parents=True)
    logged = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.compress": "false",
    }
    lake = GoldLake(ROOT, lines, logged)
    lake.generate()
    for name in SUBJECTS:
        lake.refresh(name, "runtime.refresh=full")
    found = []
    for repeat in range(repeats + 1):
        for variant, without in VARIANTS.items():
            lake.change(CHANGED, "spread")
            for name in SUBJECTS:
                with _without(**without):
                    began = time.time()
                    lake.refresh(name, "runtime.refresh=incremental")
                    found += [Refresh(variant, name, began, time.time())] if repeat else []
            sys.stderr.write(f"{repeat} of {repeats}: {variant}\n")
    lake.close()
    return found, list(_jobs(events))


@contextmanager
def _without(few: int | None = None, settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """Take a measure back for a while."""
    rows = held.FEW if few is None else few
    feed = changes.FEED_BYTES if few is None else few
    with (
        patch.object(held, "FEW", rows),
        patch.object(gold, "FEW", rows),
        patch.object(changes, "FEED_BYTES", feed),
        patch.object(session, "FEW_ROWS", session.FEW_ROWS if settings is None else settings),
    ):
        yield


def _jobs(events: Path) -> Iterator[Job]:
    """Yield the jobs in Spark's event logs."""
    begun: dict[int, Mapping[str, Any]] = {}
    for file in events.rglob("events*"):
        for line in file.open():
            event = json.loads(line)
            if event["Event"] == "SparkListenerJobStart":
                begun[event["Job ID"]] = event
            elif event["Event"] == "SparkListenerJobEnd":
                start = begun[event["Job ID"]]
                told = start.get("Properties", {})
                words = told.get("spark.job.description") or told.get("callSite.short") or ""
                yield Job(start["Submission Time"] / 1000, event["Completion Time"] / 1000, _part(words))


def _part(words: str) -> str:
    for part, told in PARTS.items():
        if told in words:
            return part
    return _OTHER


def _within(jobs: Sequence[Job], refresh: Refresh) -> list[Job]:
    return [job for job in jobs if refresh.began <= job.began <= refresh.ended]


def _busy(jobs: Sequence[Job]) -> float:
    """Return for how many seconds any of the jobs ran."""
    total, last = 0.0, 0.0
    for job in sorted(jobs, key=lambda one: one.began):
        total += max(0.0, job.ended - max(job.began, last))
        last = max(last, job.ended)
    return total


def tables(refreshes: Sequence[Refresh], jobs: Sequence[Job]) -> str:
    """Return two tables in Markdown: where the seconds go as shipped, and seconds by variant; medians."""
    shipped = {
        name: [one for one in refreshes if (one.variant, one.table) == ("as shipped", name)] for name in SUBJECTS
    }
    parts = (*PARTS, _OTHER)
    head = [f"| | seconds | jobs | {' | '.join(parts)} | between jobs |", "| --- |" + " --: |" * (3 + len(parts))]
    for name, told in SUBJECTS.items():
        runs = [(one, _within(jobs, one)) for one in shipped[name]]
        busy = [[_busy([job for job in met if job.part == part]) for part in parts] for _, met in runs]
        cells = [
            f"{statistics.median(one.seconds for one, _ in runs):.1f}",
            f"{statistics.median(len(met) for _, met in runs):.0f}",
            *(f"{statistics.median(values):.1f}" for values in zip(*busy, strict=True)),
            f"{statistics.median(one.seconds - _busy(met) for one, met in runs):.1f}",
        ]
        head.append(f"| {told} | {' | '.join(cells)} |")
    lines = [f"| | {' | '.join(SUBJECTS.values())} |", "| --- |" + " --: |" * len(SUBJECTS)]
    for variant in VARIANTS:
        taken = [
            statistics.median(one.seconds for one in refreshes if (one.variant, one.table) == (variant, name))
            for name in SUBJECTS
        ]
        lines.append(f"| {variant} | {' | '.join(f'{one:.1f}' for one in taken)} |")
    return "\n".join([*head, "", *lines])


def main() -> None:
    """Measure, and report."""
    options = page.options(__doc__, lines=1_000_000, repeats=5)
    found = tables(*measure(options.lines, options.repeats))
    if options.docs:
        told = f"{CHANGED:,} of {options.lines:,} lines changed, {os.cpu_count()} cores; medians of {options.repeats}."
        page.put("bench-anatomy", f"{told}\n\n{found}")
    sys.stdout.write(found + "\n")


if __name__ == "__main__":
    main()
