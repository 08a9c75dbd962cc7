"""The demonstration behind ``make demo``: a shop through the real flow, twice where there are two days, with a report.

The shop is a made-up, dirty one, or your own: a folder of payloads and extracts, which are only read. Files
are told by their source's folder or by how their names begin: orders/*.json, orders-1.jsonl, customers.csv,
products.csv, exchange_rates.csv. Files in sub-folders, such as 2026-01-31, are deliveries after those in the
folder itself; the last one counts as the newest day, all before it as history.
"""

import argparse
import contextlib
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medallion import conf, feed, output, report, run
from medallion.conf import Conf
from medallion.errors import ConfError, LakehouseError, SetupError, some
from medallion.feed import Drop, Landed
from medallion.landing import Landing
from medallion.progress import Progress
from medallion.run import Report
from medallion.session import Sessions

PIPELINE = "shop"
ENVIRONMENT = "environment=demo"
LAYERS = ("landing", "bronze", "silver", "gold", "ops")
SIZE = 1000
SEED = 7


@dataclass(frozen=True)
class Day:
    """What is delivered before one run of the flow."""

    title: str
    what: str
    land: Callable[[], Iterable[Landed]]


def main() -> int:
    """Run the demonstration and return its exit code: 2 for what cannot be used, 1 where a table failed."""
    options = _options()
    overrides = [ENVIRONMENT]
    if options.at:
        overrides += [f"storage.{layer}.root={options.at.resolve() / layer}" for layer in LAYERS]
    started = time.monotonic()
    try:
        loaded = conf.load(PIPELINE, overrides)
        days = _own_days(loaded, options.data) if options.data else _sample_days(loaded, options.size, options.seed)
        told = _play(loaded, overrides, days)
    except LakehouseError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfError) else 1
    folder = Path(loaded.root("landing")).parent
    sys.stdout.write(f"\nThe demonstration took {time.monotonic() - started:.0f} s; its lake is in {folder}.\n")
    return 0 if told.passed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of your own payloads and extracts")
    parser.add_argument("--size", type=int, help=f"orders of the made-up shop ({SIZE})")
    parser.add_argument("--seed", type=int, help=f"another seed makes another shop ({SEED})")
    parser.add_argument("--at", type=Path, help="a new or empty folder to make it in")
    options = parser.parse_args()
    if options.data and (options.size is not None or options.seed is not None):
        parser.error("--data: wanted without --size and --seed, which are of the made-up shop")
    if options.at and options.at.exists() and any(options.at.iterdir()):
        parser.error(f"--at {options.at}: wanted a new or empty folder")
    return options


def _sample_days(loaded: Conf, size: int | None, seed: int | None) -> list[Day]:
    options = {"orders": SIZE if size is None else size, "seed": SEED if seed is None else seed}
    history = "half a year of {orders:,} orders (seed {seed}), with their customers, products and exchange rates"
    return [
        Day("Day 0", history.format(**options), lambda: [feed.sample(loaded, 0, options)]),
        Day(
            "Day 1",
            "new orders, updates, redeliveries, late and broken payloads",
            lambda: [feed.sample(loaded, 1, options)],
        ),
    ]


def _own_days(loaded: Conf, folder: Path) -> list[Day]:
    """Return what is in a folder as at most two days: the last delivery, and before it all others as history."""
    folder = folder.expanduser().resolve()
    _require_apart(loaded, folder)
    drops = feed.sort_folder(loaded, folder)
    days = [Day("Newest delivery" if drops[1:] else "Delivery", _told([drops[-1]]), lambda: _land(loaded, drops[-1:]))]
    if drops[1:]:
        days.insert(0, Day("History", _told(drops[:-1]), lambda: _land(loaded, drops[:-1])))
    return days


def _require_apart(loaded: Conf, folder: Path) -> None:
    """Refuse a folder that is, holds or is within one that the demonstration empties."""
    for layer in LAYERS:
        root = Path(loaded.root(layer)).resolve()
        if root.is_relative_to(folder) or folder.is_relative_to(root):
            raise ConfError(f"{folder}: found {root} of the demonstration in it or around it; wanted one apart")


def _land(loaded: Conf, drops: Sequence[Drop]) -> list[Landed]:
    return [feed.land_folder(loaded, drop) for drop in drops]


def _told(drops: Sequence[Drop]) -> str:
    """Say which folders are delivered."""
    return f"files of {some(drop.folder.name for drop in drops)}"


def _play(loaded: Conf, overrides: list[str], days: Sequence[Day]) -> Report:
    """Empty the demonstration's lake, play the days and return the last day's report."""
    sessions = Sessions(loaded)
    starting = threading.Thread(target=_start, args=(sessions,), name="spark")
    starting.start()
    try:
        for layer in LAYERS:
            shutil.rmtree(loaded.root(layer), ignore_errors=True)
        reports = [_run(loaded, sessions, overrides, day) for day in days]
        report.render(reports[-1], run.prepare(loaded), output.console(), overrides=overrides)
        return reports[-1]
    finally:
        starting.join()
        sessions.stop()


def _start(sessions: Sessions) -> None:
    """Start Spark aside; what goes wrong is told by the first step, which tries again."""
    with contextlib.suppress(SetupError):
        sessions.start()


def _run(loaded: Conf, sessions: Sessions, overrides: list[str], day: Day) -> Report:
    from rich.text import Text

    console = output.console()
    console.print(Text.assemble("\n", (day.title, "bold"), f": {day.what}"))
    delivered = [one for landed in day.land() for one in landed.deliveries]
    files = output.counted(sum(one.files for one in delivered), "files")
    console.print(f"{files} in {output.counted(len(delivered), 'deliveries')} landed")
    lacking = [name for name in loaded.pipeline.sources if not Landing(loaded, name).newest()]
    if lacking:
        console.print(f"nothing of {', '.join(lacking)} yet: what is made from it starts empty")
    return _refresh(sessions, overrides, Progress(output.console(stderr=True), len(run.prepare(loaded).tables)))


def _refresh(sessions: Sessions, overrides: list[str], progress: Progress) -> Report:
    """Run the flow in the Spark that is starting; Prefect and its API come up meanwhile."""
    from flows.pipeline import Host, RunFailedError, hosted, refresh

    with _quiet("prefect", "medallion"), progress, hosted(Host(sessions, progress)):
        try:
            return refresh(PIPELINE, overrides)
        except RunFailedError as error:
            return error.report


@contextlib.contextmanager
def _quiet(*loggers: str) -> Iterator[None]:
    """Silence loggers: what they say of a failed table, progress and report tell in plain words."""
    levels = {name: logging.getLogger(name).level for name in loggers}
    try:
        for name in loggers:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


if __name__ == "__main__":
    sys.exit(main())
