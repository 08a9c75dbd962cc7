"""One process of the overhead benchmark: a day's work in one way, on one lake after another.

``python -m benchmarks.variant '{"way": "engine", "day": 0, ...}'`` (see `Task`). The first lake is worked on by a
cold process, the second by one that has done the same once. Afterwards the tables are read, so that the ways
can be compared. What was measured is written to ``told`` when all is done.
"""

import datetime as dt
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.lakes import NOW, SPARK, conf_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.session import Sessions


@dataclass(frozen=True)
class Task:
    """What to do: the way, the day, and where things are; ``landing`` and ``data`` hold what was delivered."""

    way: str  # engine, flow, script or server: the engine as a client of a warm server
    day: int
    lakes: tuple[str, ...]
    data: str
    landing: str
    ops: str | None  # of all lakes, where they share a warm server
    told: str


@dataclass
class Phase:
    """A day's work on one lake; times are of the monotonic clock."""

    started: float
    ended: float
    tables: dict[str, dict[str, float]]


class Work:
    """The way of a task; what it has started stays up from one lake to the next."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._sessions: Sessions | None = None
        self._spark: SparkSession | None = None

    def do(self, lake: Path) -> Phase:
        """Do the day's work on a lake."""
        started = time.monotonic()
        seconds = self._script(lake) if self.task.way == "script" else self._engine(lake)
        ended = time.monotonic()
        return Phase(
            started, ended, {name: {"seconds": took, **self._jobs(lake, name)} for name, took in seconds.items()}
        )

    def content(self, lake: Path) -> dict[str, tuple[int, str]]:
        """Return rows and hash of each silver and gold table."""
        from benchmarks import same_rows

        read = same_rows.of_script if self.task.way == "script" else same_rows.of_engine
        return {name: (found.rows, str(found.hashes)) for name, found in read(self._started(), lake).items()}

    def stop(self) -> None:
        """Stop what was started."""
        if self._sessions is not None:
            self._sessions.stop()
        elif self._spark is not None:
            self._spark.stop()

    def _script(self, lake: Path) -> dict[str, float]:
        from benchmarks import shop_script

        self._spark = self._spark or shop_script.session(SPARK)
        run_date = dt.datetime.fromisoformat(NOW).date()
        shop = shop_script.load(self._spark, Path(self.task.data), lake, self.task.day, run_date)
        took = shop_script.refresh(shop, self._grouped(lake))
        return {f"shop.{name}": seconds for name, seconds in took.items()}

    def _engine(self, lake: Path) -> dict[str, float]:
        """Do as ``medallion run shop`` does, or call the flow as its users do."""
        from medallion import ops, run
        from medallion.session import Sessions

        conf = conf_of(Path(self.task.landing), lake, ops=self._ops())
        self._sessions = self._sessions or Sessions(conf)
        listen = _names_only(self._grouped(lake))
        if self.task.way == "flow":
            report = self._flow(lake, listen)
        else:
            prepared = run.prepare(conf)
            report = run.run_tables(prepared, self._sessions, list(prepared.tables), listen=listen)
            ops.record(prepared, report)
        if not report.passed:
            errors = [outcome.error for outcome in report.outcomes if outcome.error]
            raise SystemExit(f"{self.task.way}, day {self.task.day}: {'; '.join(errors)}")
        return {outcome.table: outcome.seconds for outcome in report.outcomes}

    def _flow(self, lake: Path, listen: Callable[[Any], None]) -> Any:
        from benchmarks.lakes import overrides
        from flows.pipeline import Host, hosted, refresh

        assert self._sessions is not None
        with hosted(Host(self._sessions, listen)):
            return refresh("shop", overrides(Path(self.task.landing), lake, ops=self._ops()))

    def _ops(self) -> Path | None:
        return Path(self.task.ops) if self.task.ops else None

    def _started(self) -> "SparkSession":
        if self._sessions is not None:
            return self._sessions.start()
        assert self._spark is not None
        return self._spark

    def _grouped(self, lake: Path) -> Callable[[str], None]:
        """Return what names the jobs of the calling thread after the table that it works on."""
        if self.task.way == "server":
            return lambda _: None
        return lambda name: self._started().sparkContext.setJobGroup(_group(lake, name), name)

    def _jobs(self, lake: Path, name: str) -> dict[str, float]:
        """Return how many jobs and stages a table took; a stage that was skipped does not count."""
        if self.task.way == "server":
            return {}
        tracker = self._started().sparkContext.statusTracker()
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(_group(lake, name))]
        stages = {stage for job in jobs if job for stage in job.stageIds}
        ran = [found for stage in stages if (found := tracker.getStageInfo(stage)) and found.numCompletedTasks]
        return {"jobs": len(jobs), "stages": len(ran)}


def _group(lake: Path, name: str) -> str:
    return f"{lake} {name.removeprefix('shop.')}"


def _names_only(listen: Callable[[str], None]) -> Callable[[Any], None]:
    """Return a listener of the engine's, which hears a table's name when it starts and its outcome when it ends."""
    return lambda heard: listen(heard) if isinstance(heard, str) else None


def main(task: Task) -> None:
    """Do a task, and tell what was measured."""
    os.environ["MEDALLION_NOW"] = NOW
    work = Work(task)
    phases = [work.do(Path(lake)) for lake in task.lakes]
    content = work.content(Path(task.lakes[0]))
    ending = time.monotonic()
    work.stop()
    told = {"phases": [asdict(phase) for phase in phases], "content": content, "ending": ending}
    Path(task.told).write_text(json.dumps(told))


if __name__ == "__main__":
    main(Task(**json.loads(sys.argv[1])))
