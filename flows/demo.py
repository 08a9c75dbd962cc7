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
OVERRIDES = ("environment=demo",)
DAYS = {
    0: "half a year of orders, with their customers, products and exchange rates",
    1: "new orders, updates, redeliveries, late and broken payloads",
}


def main() -> int:
    """Run the demonstration and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1000, help="orders of the sample shop")
    parser.add_argument("--seed", type=int, default=7, help="another seed makes another shop")
    options = parser.parse_args()
    started = time.monotonic()
    loaded = conf.load(PIPELINE, OVERRIDES)
    sessions = Sessions(loaded)
    starting = threading.Thread(target=_start, args=(sessions,), name="spark")
    starting.start()
    try:
        return _show(loaded, sessions, options.size, options.seed, started)
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


def _show(loaded: Conf, sessions: Sessions, size: int, seed: int, started: float) -> int:
    console, aside = output.console(), output.console(stderr=True)
    folder = Path(loaded.root("landing")).parent
    shutil.rmtree(folder, ignore_errors=True)
    console.print(f"A sample shop of {size:,} orders (seed {seed}) in {folder.relative_to(loaded.project)}")
    for day, what in DAYS.items():
        console.print(f"\n[bold]Day {day}[/bold]: {what}")
        landed = feed.sample(loaded, day, {"orders": size, "seed": seed})
        files = sum(one.files for one in landed.deliveries)
        console.print(f"{files:,} files in {len(landed.deliveries)} deliveries landed")
        told = _refresh(sessions, Progress(aside, len(run.prepare(loaded).tables)))
    report.render(told, run.prepare(loaded), console, overrides=OVERRIDES)
    console.print(f"The demonstration took {time.monotonic() - started:.0f} s.")
    return 0


def _refresh(sessions: Sessions, progress: Progress) -> Report:
    """Run the flow in the Spark that is starting; Prefect and its API come up meanwhile."""
    from flows.pipeline import Host, hosted, refresh

    with progress, hosted(Host(sessions, progress)):
        return refresh(PIPELINE, list(OVERRIDES))


if __name__ == "__main__":
    sys.exit(main())
