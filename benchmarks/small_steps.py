"""What a small run costs: two days of the sample shop, with and without what the engine does about it.

``python benchmarks/small_steps.py [--orders 1000] [--repeats 3]``: each variant in a process of its own, in
turn, so that a busy moment hits all of them; prints medians as a table in Markdown. Seconds are of the whole
process, Python's start to the end of day 1, without Prefect.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VARIANTS = {
    "as shipped": ([], True),
    "without small-step settings": ([], False),
    "without them, and the JVM's full compiler": (["spark.conf.spark.driver.extraJavaOptions=-Xmx2g"], False),
}
LAYERS = ("landing", "bronze", "silver", "gold", "ops")


def main() -> None:
    """Run every variant some times, or, as a child process, one of them once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", choices=VARIANTS)
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(_measure(options.one, options.orders)))
        return
    found: dict[str, list[list[float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(options.repeats):
        for variant in VARIANTS:
            command = [sys.executable, __file__, "--orders", str(options.orders), "--one", variant]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            found[variant].append(json.loads(done.stdout))
            sys.stderr.write(f"{variant}: {found[variant][-1]}\n")
    _print(found)


def _measure(variant: str, orders: int) -> list[float]:
    """Return the seconds of Spark's start, day 0, day 1, and all of it."""
    started = time.monotonic()
    from medallion import conf, feed, run, session

    overrides, small = VARIANTS[variant]
    if not small:
        session.SMALL_BYTES = 0
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        roots = [f"storage.{layer}.root={folder}/{layer}" for layer in LAYERS]
        loaded = conf.load("shop", [*roots, *overrides], Path(__file__).resolve().parents[1])
        sessions = session.Sessions(loaded)
        sessions.start()
        seconds.append(time.monotonic() - started)
        for day in (0, 1):
            feed.sample(loaded, day, {"orders": orders})
            report = run.run_tables(prepared := run.prepare(loaded), sessions, list(prepared.tables))
            if not report.passed:
                raise SystemExit(f"{variant}: day {day} failed")
            seconds.append(report.seconds)
        sessions.stop()
    return [*seconds, time.monotonic() - started]


def _print(found: dict[str, list[list[float]]]) -> None:
    base = statistics.median(times[-1] for times in found["as shipped"])
    sys.stdout.write(
        "| variant | start, s | day 0, s | day 1, s | all, s | ratio |\n| --- | --: | --: | --: | --: | --: |\n"
    )
    for variant, runs in found.items():
        medians = [statistics.median(column) for column in zip(*runs, strict=True)]
        cells = " | ".join(f"{median:.0f}" for median in medians)
        sys.stdout.write(f"| {variant} | {cells} | {medians[-1] / base:.2f} |\n")


if __name__ == "__main__":
    main()
