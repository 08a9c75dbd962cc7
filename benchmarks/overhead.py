"""What the engine costs over a hand-written script: the shop's first load, and a small second day.

``python -m benchmarks.overhead [--orders 1000000] [--repeats 3] [--only engine,script] [--keep] [--docs]``

The ways, in turn, each with fresh lakes: ``engine`` (as ``medallion run`` does it), ``script`` (benchmarks/
shop_script.py), ``flow`` (the Prefect flow with its temporary API), ``server`` (the engine as a client of a warm
Spark server). Cold is a new process, from its start to its end; warm the same work on another lake in a process
that has just done it. All lie in data/bench; a call that was interrupted goes on where it was, unless
code has changed meanwhile. The ways must make the same tables, else the benchmark fails.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import lakes, overhead_report, shop_data
from benchmarks.variant import Task
from benchmarks.watch import Watch

ROOT = lakes.PROJECT / "data" / "bench"
WAYS = ("engine", "script", "flow", "server")
_MOST_SECONDS = 3600  # of one process
_CODE = ("lib", "jobs", "flows", "conf", "benchmarks")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is still to be measured, and report; 1 where the ways differ or a run failed."""
    options = _options(arguments)
    folder = ROOT / str(options.orders)
    prepare(options.orders, folder)
    results = Results(folder / "overhead.json", options.orders)
    for repeat in range(options.repeats):
        for day in (0, 1):
            for way in options.only:
                if results.lacks(repeat, way, day):
                    sys.stderr.write(f"{repeat + 1}/{options.repeats} day {day}: {way}\n")
                    results.add({"repeat": repeat, "way": way, "day": day, **measure(folder, repeat, way, day)})
        if not options.keep:
            shutil.rmtree(folder / "lakes" / str(repeat), ignore_errors=True)
    found = results.found()
    overhead_report.show(found)
    if options.docs:
        overhead_report.write(found, lakes.PROJECT / "docs")
    return 1 if overhead_report.differing(found) or any("error" in run for run in found["runs"]) else 0


class Results:
    """What was measured, on disk after every run; runs of other code are dropped."""

    def __init__(self, path: Path, orders: int) -> None:
        self._path = path
        code = _code()
        known = json.loads(path.read_text()) if path.exists() else {}
        self._found = known if known.get("code") == code else _described(orders, code)

    def lacks(self, repeat: int, way: str, day: int) -> bool:
        """Tell whether a run is still to be measured; one that failed is tried again."""
        wanted = (repeat, way, day)
        return not any((r["repeat"], r["way"], r["day"]) == wanted and "error" not in r for r in self._found["runs"])

    def add(self, run: dict[str, Any]) -> None:
        """Keep a run, in place of an earlier try."""
        same = ("repeat", "way", "day")
        kept = [known for known in self._found["runs"] if any(known[key] != run[key] for key in same)]
        self._found["runs"] = [*kept, run]
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self._found, indent=1))
        part.replace(self._path)

    def found(self) -> dict[str, Any]:
        """Return all that was measured."""
        return self._found


def prepare(orders: int, folder: Path) -> None:
    """Make the data of both days, and a landing of the first and of both, unless they are there."""
    makers = [Path(__file__).with_name(name).read_bytes() for name in ("shop_data.py", "shop_extracts.py")]
    stamp, made_by = folder / "made_by", hashlib.sha256(b"".join(makers)).hexdigest()
    if stamp.exists() and stamp.read_text() == made_by:
        return
    shutil.rmtree(folder, ignore_errors=True)
    shop_data.write(orders, folder / "data")
    lakes.land(folder / "landing0", folder / "data", 0)
    shutil.copytree(folder / "landing0", folder / "landing1", copy_function=os.link)
    lakes.land(folder / "landing1", folder / "data", 1)
    stamp.write_text(made_by)


def measure(folder: Path, repeat: int, way: str, day: int) -> dict[str, Any]:
    """Do a day's work in one way and return its measures; of one that failed, its error.

    The second day goes on with the lakes of the first; raises nothing, so that other runs go on.
    """
    places = [folder / "lakes" / str(repeat) / way / name for name in ("a", "b")]
    if day == 0:
        shutil.rmtree(places[0].parent, ignore_errors=True)
    try:
        if way != "server":
            told = _process(folder, places, way, day)
            return {"cold": told["cold"], "warm": told["warm"], "content": told["content"]}
        with _server(folder, places[0]) as server:
            _process(folder, places[:1], way, day, server)
            told = _process(folder, places[1:], way, day, server)
            return {"server": told["cold"], "content": told["content"]}
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"{way}, day {day}: {error}\n")
        return {"error": str(error)}


def _process(folder: Path, places: Sequence[Path], way: str, day: int, server: int | None = None) -> dict[str, Any]:
    """Run one process over lakes, and return what it used for each; raises RuntimeError where it fails."""
    told, log = folder / "told.json", folder / "log"
    told.unlink(missing_ok=True)
    ops = str(places[0].parent / "ops") if server else None
    names = tuple(str(place) for place in places)
    task = Task(way, day, names, str(folder / "data"), str(folder / f"landing{day}"), ops, str(told))
    command = [sys.executable, "-m", "benchmarks.variant", json.dumps(asdict(task))]
    spawned = time.monotonic()
    with _started(command, log) as process:
        watch = Watch([process.pid, *([server] if server else [])])
        try:
            code = process.wait(_MOST_SECONDS)
        finally:
            watch.close()
    exited = time.monotonic()
    if code != 0 or not told.exists():
        raise RuntimeError(f"exit code {code}: {_last_line(log)}")
    found = json.loads(told.read_text())
    measures: dict[str, Any] = {"content": found["content"]}
    for name, phase in zip(("cold", "warm"), found["phases"], strict=False):
        start, end = (spawned if name == "cold" else phase["started"]), phase["ended"]
        measures[name] = {
            "seconds": end - start + (exited - found["ending"] if name == "cold" else 0),
            "cpu_seconds": watch.cpu_seconds(start, end),
            "peak_bytes": watch.peak_bytes(start, end),
            "tables": phase["tables"],
        }
    return measures


@contextmanager
def _server(folder: Path, lake: Path) -> Iterator[int]:
    """Keep a warm Spark server up, and give its process id; the lakes beside this one share it."""
    conf = lakes.overrides(folder / "landing0", lake, lake.parent / "ops")
    command = [str(Path(sys.executable).with_name("medallion")), "up", "--foreground", *conf]
    with _started(command, folder / "server.log") as process:
        deadline = time.monotonic() + 120
        while not (lake.parent / "ops" / "warm" / "server.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no warm server: {_last_line(folder / 'server.log')}")
            time.sleep(0.2)
        yield process.pid


@contextmanager
def _started(command: Sequence[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process, and end it with all that it started, however this ends."""
    environment = os.environ | {"PREFECT_HOME": str(ROOT / "prefect")}
    environment.pop("PREFECT_API_URL", None)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=lakes.PROJECT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            for signal_number in (signal.SIGTERM, signal.SIGKILL):
                if process.poll() is None:
                    os.killpg(process.pid, signal_number)
                    time.sleep(3)
            try:
                os.killpg(process.pid, signal.SIGKILL)  # whoever outlived it
            except ProcessLookupError:
                pass
            process.wait()


def _described(orders: int, code: str) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "orders": orders,
        "code": code,
        "machine": {"cores": os.cpu_count(), "bytes": memory, "system": platform.system()},
        "spark": lakes.SPARK,
        "runs": [],
    }


def _code() -> str:
    """Return a hash of all that has a part in what is measured."""
    digest = hashlib.sha256()
    for folder in _CODE:
        for file in sorted((lakes.PROJECT / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file).encode() + file.read_bytes())
    return digest.hexdigest()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(WAYS), help="ways, by comma")
    parser.add_argument("--keep", action="store_true", help="leave the lakes in data/bench")
    parser.add_argument("--docs", action="store_true", help="write the figures to docs/performance.md")
    options = parser.parse_args(arguments)
    unknown = [way for way in options.only if way not in WAYS]
    if unknown:
        parser.error(f"--only: found {', '.join(unknown)}; wanted some of {', '.join(WAYS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
