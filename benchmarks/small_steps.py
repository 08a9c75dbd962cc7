"""What a small run costs: two days of the sample shop, with and without what the engine does about it.

``python -m benchmarks.small_steps [--orders 1000] [--repeats 3] [--docs]``: each variant in a process of its own, in
turn, so that a busy moment hits all of them; medians. Seconds are of the whole process, Python's start to the end of
day 1, without Prefect. Gold is measured by table as well: as the planner has it, in full, and by what changed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from unittest.mock import PropertyMock, patch

from benchmarks import page

SHIPPED, FULL, CHANGED = "as shipped", "gold in full", "gold by what changed, wherever it can be"
UNSET, COMPILED = "without small-step settings", "without them, and the JVM's full compiler"
VARIANTS = (SHIPPED, FULL, CHANGED, UNSET, COMPILED)
OVERRIDES = {
    FULL: ["runtime.refresh=full"],
    COMPILED: ["spark.conf.spark.driver.extraJavaOptions=-XX:+UseSerialGC"],
}
LAYERS = ("landing", "bronze", "silver", "gold", "ops")


@dataclass(frozen=True)
class Took:
    """The seconds of Spark's start, day 0, day 1 and all of it; and of each gold table on day 1."""

    start: float
    day0: float
    day1: float
    all: float
    gold: Mapping[str, float]


def main() -> None:
    """Run every variant some times, or, as a child process, one of them once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--docs", action="store_true", help="write the figures to docs/performance.md")
    parser.add_argument("--one", choices=VARIANTS)
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(asdict(_measure(options.one, options.orders))))
        return
    found: dict[str, list[Took]] = {variant: [] for variant in VARIANTS}
    for repeat in range(options.repeats):
        for variant in VARIANTS:
            sys.stderr.write(f"{repeat + 1}/{options.repeats}: {variant}\n")
            command = [
                sys.executable,
                "-m",
                "benchmarks.small_steps",
                "--orders",
                str(options.orders),
                "--one",
                variant,
            ]
            done = subprocess.run(command, cwd=page.DOCS.parent, stdout=subprocess.PIPE, check=True)
            found[variant].append(Took(**json.loads(done.stdout)))
    told = f"{options.orders:,} orders, 2 cores; medians of {options.repeats}, each variant in a process of its own."
    text = "\n\n".join([told, _whole(found), _by_table(found)])
    sys.stdout.write(text + "\n")
    if options.docs:
        page.put("bench-small", text)


def _measure(variant: str, orders: int) -> Took:
    started = time.monotonic()
    from medallion import conf, economy, feed, run, session

    days, gold = [], {}
    with ExitStack() as stack:
        if variant in (UNSET, COMPILED):
            stack.enter_context(patch.object(session, "SMALL_BYTES", 0))
        if variant == CHANGED:
            stack.enter_context(patch.object(economy.Cost, "refused", PropertyMock(return_value=None)))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        roots = [f"storage.{layer}.root={folder}/{layer}" for layer in LAYERS]
        loaded = conf.load("shop", [*roots, *OVERRIDES.get(variant, [])], page.DOCS.parent)
        sessions = session.Sessions(loaded)
        stack.callback(sessions.stop)
        sessions.start()
        start = time.monotonic() - started
        for day in (0, 1):
            feed.sample(loaded, day, {"orders": orders})
            report = run.run_tables(prepared := run.prepare(loaded), sessions, list(prepared.tables))
            if not report.passed:
                raise SystemExit(f"{variant}: day {day} failed")
            days.append(report.seconds)
            gold = {one.table: one.seconds for one in report.outcomes if ".gold." in one.table}
    return Took(start, *days, time.monotonic() - started, gold)


def _whole(found: Mapping[str, list[Took]]) -> str:
    base = statistics.median(took.all for took in found[SHIPPED])
    rows = ["| variant | start, s | day 0, s | day 1, s | all, s | ratio |", "| --- | --: | --: | --: | --: | --: |"]
    for variant, runs in found.items():
        medians = [
            statistics.median(column) for column in zip(*((r.start, r.day0, r.day1, r.all) for r in runs), strict=True)
        ]
        rows.append(f"| {variant} | {' | '.join(f'{one:.0f}' for one in medians)} | {medians[-1] / base:.2f} |")
    return "\n".join(rows)


def _by_table(found: Mapping[str, list[Took]]) -> str:
    rows = [
        "| gold table, day 1 | in full, s | as shipped, s (ratio) | by what changed, s (ratio) |",
        "| --- | --: | --: | --: |",
    ]
    for name in found[FULL][0].gold:
        full, shipped, changed = (
            statistics.median(took.gold[name] for took in found[variant]) for variant in (FULL, SHIPPED, CHANGED)
        )
        rows.append(
            f"| {name} | {full:.2f} | {shipped:.2f} ({shipped / full:.2f}) | {changed:.2f} ({changed / full:.2f}) |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
