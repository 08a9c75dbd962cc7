"""Processes of Spark that are killed as for their memory: a Python worker in a UDF, a JVM in the middle of a run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests import figures
from tests.conftest import LAYERS, PROJECT
from tests.faults import vault
from tests.faults.vault import order

pytestmark = pytest.mark.slow
Factory = Callable[..., Any]
ROW = "dependency faults"
NAME = "mill"  # modules of one name are loaded once a process, and others of these tests work with the vault's
CONF = vault.CONF
SILVER, BRONZE, GOLD = (f"mill.{layer}" for layer in ("silver.orders", "bronze.orders", "gold.totals"))
MODULES = {place: text.replace("vault.", "mill.") for place, text in vault.MODULES.items()}
# The function notes which process it is in and waits there, as long as it is told to.
SILVER_BY_PYTHON = """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Silver
SENT = "id string, seq int, product string, amount int"
table = Silver(reads="mill.bronze.orders", key=("id",), sequence=("seq",),
               columns={{"id": ("string", "id"), "seq": ("int", "version"), "product": ("string", "product"),
                        "amount": ("int", "amount")}})


@table.transform
def orders(records):
    def doubled(amount):  # in here, it goes to the workers itself: they do not know the module
        import os, time
        if os.path.exists({hold!r}):
            with open({hold!r} + f".{{os.getpid()}}", "w"):
                pass
            until = time.monotonic() + 60
            while os.path.exists({hold!r}) and time.monotonic() < until:
                time.sleep(0.02)
        return None if amount is None else 2 * amount

    sent = records.withColumn("s", F.from_json("payload", SENT)).select("s.*", *CARRIED)
    return sent.withColumn("amount", F.udf(doubled, "int")("amount"))
"""


class Killer:
    """Kills each process that waits at a place, as many as are wanted; then lets the others pass."""

    def __init__(self, hold: Path, wanted: int) -> None:
        self.hold, self.wanted = hold, wanted
        self.killed: list[int] = []
        for left in hold.parent.glob(f"{hold.name}.*"):  # of one that waited beside the one that was killed
            left.unlink()
        hold.touch()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        until = time.monotonic() + 120
        while len(self.killed) < self.wanted and time.monotonic() < until:
            for path in self.hold.parent.glob(f"{self.hold.name}.*"):
                process = int(path.suffix[1:])
                path.unlink()
                assert process != os.getpid()
                os.kill(process, signal.SIGKILL)
                self.killed.append(process)
            time.sleep(0.02)
        self.end()

    def end(self) -> None:
        self.hold.unlink(missing_ok=True)
        self.wanted = 0


def test_a_python_worker_that_is_killed_is_told_and_the_next_run_is_right(scratch: Factory, tmp_path: Path) -> None:
    """This Spark, on one machine, tries a task once; then again, each time killed; then let alone."""
    hold = tmp_path / "hold"
    modules = {**MODULES, "silver/orders.py": SILVER_BY_PYTHON.format(hold=str(hold))}
    lake = scratch(NAME, modules, CONF)
    lake.deliver("orders", order("1", "a", 1, 10), order("2", "b", 1, 20))
    assert lake.run().passed
    lake.deliver("orders", order("3", "a", 2, 11), order("4", "c", 1, 30))
    before, had = lake.versions(), sorted(map(tuple, lake.rows(SILVER, "id", "amount").collect()))
    kills = 0
    for _ in range(2):
        killer = Killer(hold, 1)
        report = lake.run()
        killer.end()
        told = {outcome.table: outcome for outcome in report.outcomes}
        assert killer.killed
        kills += 1
        assert (told[SILVER].status, told[GOLD].status) == ("failed", "blocked")
        assert "a Python worker of Spark died" in str(told[SILVER].error), told[SILVER].error
        assert "\n" not in str(told[SILVER].error)
        assert lake.versions()[SILVER] == before[SILVER]
        assert sorted(map(tuple, lake.rows(SILVER, "id", "amount").collect())) == had

    assert lake.run().passed
    found = sorted(map(tuple, lake.rows(SILVER, "id", "amount").collect()))
    is_right = found == [("a", 22), ("b", 40), ("c", 60)]
    figures.note(ROW, injected=kills, loud=kills, recovered=kills * int(is_right), silent=0)
    assert is_right, found


RUN = """
import sys
from medallion import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def _command(lake: Any) -> list[str]:
    roots = [f"storage.{layer}.root={lake.conf.root(layer)}" for layer in LAYERS]
    spark = ["spark.conf.spark.driver.memory=1g", "spark.conf.spark.sql.shuffle.partitions=2", "spark.warm=false"]
    return [sys.executable, "-c", RUN, "run", NAME, *roots, *spark, "spark.master=local[2,3]"]


SOAKED = ["a Python worker", "a Python worker, each time"]


@pytest.mark.parametrize("whom", ["the JVM", *(pytest.param(one, marks=pytest.mark.soak) for one in SOAKED)])
def test_a_run_whose_spark_is_killed_says_so_in_a_line(scratch: Factory, tmp_path: Path, whom: str) -> None:
    """A run of its own, as from the command line, where Spark tries a task three times."""
    hold = tmp_path / "hold"
    modules = {**MODULES, "silver/orders.py": SILVER_BY_PYTHON.format(hold=str(hold))}
    lake = scratch(NAME, modules, CONF)
    lake.deliver("orders", order("1", "a", 1, 10), order("2", "b", 1, 20))
    hold.touch()
    environment = {**os.environ, "MEDALLION_HOME": str(lake.conf.project)}
    with subprocess.Popen(
        _command(lake),
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            if whom == "a Python worker, each time":
                killer = Killer(hold, 1000)
            else:
                _kill(whom, hold, process)
                hold.unlink()
            said, _ = process.communicate(timeout=240)
        finally:
            hold.unlink(missing_ok=True)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    flat = " ".join(said.split())
    assert "Traceback" not in said and "\tat " not in said, said[-3000:]
    if whom == "the JVM":
        assert process.returncode == 1, said
        assert "Spark says: its JVM has ended (killed, perhaps for its memory); whatever was committed stays" in flat, (
            said
        )
        assert lake.versions() == {BRONZE: 0}
    elif whom == "a Python worker, each time":
        killer.end()
        assert (process.returncode, len(killer.killed) >= 3) == (1, True), said
        assert "failed 3 times" in flat and "a Python worker of Spark died" in flat, said
        assert lake.versions() == {BRONZE: 0}
    else:  # Spark tried the task once more
        assert process.returncode == 0, said
    assert lake.run().passed
    found = sorted(map(tuple, lake.rows(SILVER, "id", "amount").collect()))
    is_right = found == [("a", 20), ("b", 40)]
    figures.note(ROW, injected=1, loud=int(process.returncode != 0), recovered=int(is_right), silent=0)
    assert is_right, found


def _kill(whom: str, hold: Path, python: "subprocess.Popen[str]") -> int:
    """Kill once the function is at work: the worker it is in, or the JVM that this Python started."""
    until = time.monotonic() + 200
    while not (at := list(hold.parent.glob(f"{hold.name}.*"))):
        assert time.monotonic() < until and python.poll() is None, "the function was not reached"
        time.sleep(0.05)
    worker = int(at[0].suffix[1:])
    process = worker if whom == "a Python worker" else _child(python.pid, "java")
    os.kill(process, signal.SIGKILL)
    return process


def _child(parent: int, name: str) -> int:
    shown = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    found = [line.split() for line in shown.splitlines()]
    return next(int(pid) for pid, ppid, comm in found if int(ppid) == parent and comm == name)
