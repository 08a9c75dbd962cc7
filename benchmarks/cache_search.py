"""What the cache of a dashboard costs and how fast it answers: a table of daily logs, one user and many.

``python -m benchmarks.cache_search [--rows 182281] [--users 100] [--seconds 60]``: builds the cache of a table
without Spark, follows a change of 1 % of it, and searches for the given seconds in all: straight from the file, then
over HTTP from `medallion pages`. Prints a table in Markdown. Users pause for a second or so between searches, as
people do; "without pause" each asks again at once, which tells how much the machine can do. The load of the
machine stands beside each figure, since whoever else works on it slows the searches down; CPU time (over HTTP, the
server's mean) tells how they would fare alone.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

from benchmarks.cache_table import NAME, SHORT, Table

SEARCHES = (
    "concrete", "slab pour", "drywall", "inspector straps", "rain", "ramirez", "slab pou", "con", "red tag",
    "hvac ductwork completed", "gate code", "footer dig waiting", "o'neil", "3000 psi", "baseboard", "permit",
)  # fmt: skip
FILTERS: tuple[dict[str, str], ...] = (
    {}, {"status": "Completed"}, {"county": "Polk"}, {"phase": "Framing", "status": "On Hold"},
    {"sector": "Villa", "county": "Pasco"}, {"jobsite": "Heron Landing"},
)  # fmt: skip


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=182_281)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = Table.make(Path(folder), options.rows)
        _print_syncs(table)
        _print_searches(table, options.users, options.seconds / 7)


def _print_syncs(table: Table) -> None:
    sys.stdout.write("| sync | rows changed | seconds | file, MB | load |\n| --- | --: | --: | --: | --: |\n")
    for what in ("full build", "1 % changed", "nothing changed"):
        if what.startswith("1"):
            table.change(0.01)
        load = os.getloadavg()[0]
        done = table.sync()
        cells = (what, f"{done.changed:,}", f"{done.seconds:.2f}", f"{done.bytes / 1e6:.1f}", f"{load:.1f}")
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def _print_searches(table: Table, users: int, seconds: float) -> None:
    sys.stdout.write(
        "\n| searches | p50, ms | p99, ms | CPU p50, ms | CPU p99, ms | a second | load |\n"
        "| --- | --: | --: | --: | --: | --: | --: |\n"
    )
    _print("file, 1 user without pause", lambda: _file(table, 1, seconds, 0))
    _print(f"file, {users} users", lambda: _file(table, users, seconds, 1))
    _print(f"file, {users} users without pause", lambda: _file(table, users, seconds, 0))
    with table.served() as (port, cpu):
        http = partial(_http, port, cpu)
        _print("HTTP, JSON, 1 user without pause", lambda: http(".json", 1, seconds, 0))
        _print(f"HTTP, JSON, {users} users", lambda: http(".json", users, seconds, 1))
        _print(f"HTTP, page, {users} users", lambda: http("", users, seconds, 1))
        _print(f"HTTP, JSON, {users} users without pause", lambda: http(".json", users, seconds, 0))


@dataclass(frozen=True)
class Measured:
    """Seconds that searches took, each, and of the processor; where these are not known one by one, their mean."""

    times: list[float]
    cpu: list[float]
    seconds: float


def _print(what: str, measure: Callable[[], Measured]) -> None:
    load = os.getloadavg()[0]
    found = measure()
    cuts = [_cuts(found.times), _cuts(found.cpu) if len(found.cpu) > 1 else (f"{1e3 * found.cpu[0]:.2f} (mean)", "-")]
    cells = (what, *cuts[0], *cuts[1], f"{len(found.times) / found.seconds:,.0f}", f"{load:.1f}")
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def _cuts(times: list[float]) -> tuple[str, str]:
    cuts = statistics.quantiles(times, n=100)
    return f"{1e3 * cuts[49]:.2f}", f"{1e3 * cuts[98]:.2f}"


def _file(table: Table, users: int, seconds: float, pause: float) -> Measured:
    """Search in a process a core, each with its share of the users as threads."""
    processes = min(users, os.cpu_count() or 1)
    command = [sys.executable, "-m", "benchmarks.cache_table", str(table.folder), str(seconds), str(pause)]
    started = [
        subprocess.Popen([*command, str(users // processes)], stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    found: list[tuple[float, float]] = []
    for process in started:
        told, _ = process.communicate()
        if process.returncode:
            raise SystemExit("a process that searches failed")
        found += json.loads(told)
    return Measured([wall for wall, _ in found], [cpu for _, cpu in found], seconds)


def search_file(folder: Path, seconds: float, pause: float, users: int) -> list[tuple[float, float]]:
    """Return the seconds that each search took, and of the processor; ``users`` threads of this process search."""
    from medallion.cache import Place
    from medallion.cache.search import Reader, Wanted

    reader, times = Reader(Place(folder / "data" / "cache", NAME)), list[tuple[float, float]]()

    def search(number: int) -> None:
        chance = random.Random(number + os.getpid())
        mine: list[tuple[float, float]] = []
        end = time.monotonic() + seconds
        time.sleep(pause * chance.random())
        while time.monotonic() < end:
            text, filters = chance.choice(SEARCHES), chance.choice(FILTERS)
            began, worked = time.perf_counter(), time.thread_time()
            reader.search(Wanted(text, filters)).shown()
            mine.append((time.perf_counter() - began, time.thread_time() - worked))
            if pause:
                time.sleep(pause * (0.5 + chance.random()))
        times.extend(mine[1:])  # the first opens the file

    threads = [threading.Thread(target=search, args=(number,)) for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _http(port: int, cpu: Callable[[], float], ending: str, users: int, seconds: float, pause: float) -> Measured:
    times, worked = list[float](), cpu()

    async def user(number: int) -> None:
        chance = random.Random(number)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        end = time.monotonic() + seconds
        await asyncio.sleep(pause * chance.random())
        first = True
        while time.monotonic() < end:
            filters = {f"f.{name}": value for name, value in chance.choice(FILTERS).items()}
            query = urlencode({"q": chance.choice(SEARCHES), **filters}, quote_via=quote)
            began = time.perf_counter()
            writer.write(f"GET /{SHORT}{ending}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
            if not first:
                times.append(time.perf_counter() - began)
            first = False
            if b" 200 " not in head[:20]:
                raise SystemExit(f"the server answered {head[:40]!r}")
            if pause:
                await asyncio.sleep(pause * (0.5 + chance.random()))
        writer.close()

    async def everybody() -> None:
        await asyncio.gather(*(user(number) for number in range(users)))

    asyncio.run(everybody())
    return Measured(times, [(cpu() - worked) / len(times)], seconds)


if __name__ == "__main__":
    main()
