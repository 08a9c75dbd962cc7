"""The demonstration behind ``make demo``: two days of a dirty sample shop, through the real flow, with a report."""

import argparse
import contextlib
import shutil
import sys
import threading
import time
from pathlib import Path

from medallion import conf, feed, output, report, run
from medallion.conf import Conf
from medallion.errors import LakehouseError, SetupError
from medallion.progress import Progress
from medallion.run import Report
from medallion.session import Sessions

PIPELINE = "shop"
ENVIRONMENT = "environment=demo"
LAYERS = ("landing", "bronze", "silver", "gold", "ops")
DAYS = {
    0: "half a year of orders, with their customers, products and exchange rates",
    1: "new orders, updates, redeliveries, late and broken payloads",
}


def main() -> int:
    """Run the demonstration and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1000, help="orders of the sample shop")
    parser.add_argument("--seed", type=int, default=7, help="another seed makes another shop")
    parser.add_argument("--at", type=Path, help="a new or empty folder to make it in")
    options = parser.parse_args()
    started = time.monotonic()
    overrides = [ENVIRONMENT]
    if options.at:
        if options.at.exists() and any(options.at.iterdir()):
            parser.error(f"--at {options.at}: wanted a new or empty folder")
        overrides += [f"storage.{layer}.root={options.at.resolve() / layer}" for layer in LAYERS]
    loaded = conf.load(PIPELINE, overrides)
    sessions = Sessions(loaded)
    starting = threading.Thread(target=_start, args=(sessions,), name="spark")
    starting.start()
    try:
        code = _show(loaded, sessions, overrides, {"orders": options.size, "seed": options.seed})
        sys.stdout.write(f"\nThe demonstration took {time.monotonic() - started:.0f} s.\n")
        return code
    except LakehouseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        starting.join()
        sessions.stop()


def _start(sessions: Sessions) -> None:
    """Start Spark aside; what goes wrong is told by the first step, which tries again."""
    with contextlib.suppress(SetupError):
        sessions.start()


def _show(loaded: Conf, sessions: Sessions, overrides: list[str], options: dict[str, int]) -> int:
    console, aside = output.console(), output.console(stderr=True)
    for layer in LAYERS:
        shutil.rmtree(loaded.root(layer), ignore_errors=True)
    folder = Path(loaded.root("landing")).parent
    console.print("A sample shop of {orders:,} orders (seed {seed})".format(**options), f"in {folder}")
    for day, what in DAYS.items():
        console.print(f"\n[bold]Day {day}[/bold]: {what}")
        landed = feed.sample(loaded, day, options)
        files = sum(one.files for one in landed.deliveries)
        console.print(f"{files:,} files in {len(landed.deliveries)} deliveries landed")
        told = _refresh(sessions, overrides, Progress(aside, len(run.prepare(loaded).tables)))
    report.render(told, run.prepare(loaded), console, overrides=overrides)
    return 0


def _refresh(sessions: Sessions, overrides: list[str], progress: Progress) -> Report:
    """Run the flow in the Spark that is starting; Prefect and its API come up meanwhile."""
    from flows.pipeline import Host, hosted, refresh

    with progress, hosted(Host(sessions, progress)):
        return refresh(PIPELINE, overrides)


if __name__ == "__main__":
    sys.exit(main())
