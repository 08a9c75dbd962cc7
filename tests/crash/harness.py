"""Kills a stage at a point, takes up what it left, and says what does not hold; all on copies of prepared lakes."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from medallion import faults
from medallion.session import Sessions
from tests.crash import controls, invariants, ledger, posting, scenario, stages
from tests.crash.invariants import Content
from tests.crash.scenario import DAYS, PROJECT, Day, Depot

TRIES = 3
At = tuple[int, str]  # a day and a stage
_SECONDS = 300.0


def points() -> list[str]:
    """Return the names of all points in the engine's code, as often as they stand there."""
    return [name for path in sorted((PROJECT / "lib").rglob("*.py")) for name in _named(path)]


def _named(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "point":
            assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: wanted a literal"
            yield str(node.args[0].value)


@dataclass(frozen=True)
class Kill:
    """Where to kill: a point, and the how manieth time it is reached."""

    day: int
    stage: str
    point: str
    nth: int = 1

    def __str__(self) -> str:
        return f"day {self.day + 1}, {self.stage}: {self.point}:{self.nth}"


@dataclass
class Lab:
    """The project, lakes as they are before each stage, what was reached in it, and what tables hold at the end."""

    project: Path
    folder: Path
    sessions: Sessions
    before: dict[At, Depot] = field(default_factory=dict)
    reached: dict[At, Counter[str]] = field(default_factory=dict)
    seen: dict[At, Content] = field(default_factory=dict)  # by readers, before a stage
    ends: list[tuple[Content, Content]] = field(default_factory=list)  # of a day: what tables hold, and readers see
    kills: int = 0

    def prepare(self) -> None:
        """Go through both days without a kill."""
        scenario.write(self.project)
        depot = scenario.new(self.project, self.folder / "reference")
        for day in range(len(DAYS)):
            for stage in stages.STAGES:
                at = (day, stage)
                self.before[at] = depot.copy(self.folder / f"before-{day}-{stage}")
                self.seen[at] = invariants.public(depot)
                self.reached[at] = self._whole(depot, day, stage)
            self.ends.append((invariants.contents(depot), invariants.public(depot)))
            found = list(self.violations(depot, day))
            assert not found, found

    def _whole(self, depot: Depot, day: int, stage: str) -> Counter[str]:
        """Do a stage to its end, and return which points it reached how often."""
        log = self.folder / "points.log"
        log.unlink(missing_ok=True)
        if stage == "post":
            code = posting.post_and_die(depot, DAYS[day], lines(depot), {"MEDALLION_FAULT_LOG": str(log)})
            assert code == 0
        else:
            with _noting(log):
                self.take_up(depot, DAYS[day], stage, lines(depot), only=True)
        return Counter(log.read_text().split()) if log.exists() else Counter()

    def take_up(self, depot: Depot, day: Day, stage: str, after: int, *, only: bool = False) -> None:
        """Do a stage from wherever it was left, and those of its day that follow; raises where one fails."""
        for one in stages.STAGES[stages.STAGES.index(stage) :][: 1 if only else None]:
            if one == "run":
                report = stages.refresh(depot, self.sessions)
                assert report.passed, [outcome.error for outcome in report.outcomes if outcome.error]
                if only:
                    assert stages.views(depot) >= {"orders", "items", "prices_history"}
            elif one == "sync":
                synced = stages.sync(depot)
                assert synced.passed, synced
            else:
                does: Callable[..., None] = {"post": stages.post, "land": stages.land, "drop": stages.drop}[one]
                does(depot, day, after)
            after = after if one == stage else lines(depot)

    def survives(self, kill: Kill) -> list[str]:
        """Kill a stage at a point, take it up and finish its day; return what does not hold, nothing if all does."""
        depot = self.before[kill.day, kill.stage].copy(self.folder / f"killed-{self.kills}")
        after = lines(depot)
        try:
            self.killed(depot, kill)
            found = list(self._seen_after(depot, kill))
            return found + self.recovered(depot, kill, after)
        finally:
            shutil.rmtree(depot.folder)

    def killed(self, depot: Depot, kill: Kill, left_out: str = "") -> None:
        """Have a stage die at a point; raises AssertionError where it ends otherwise."""
        self.kills += 1
        variables = {"MEDALLION_FAULT_AT": f"{kill.point}:{kill.nth}"}
        if kill.stage == "post" and not left_out:
            code = posting.post_and_die(depot, DAYS[kill.day], lines(depot), variables)
            told = ""
        else:
            code, told = child(depot, kill.stage, str(kill.day), variables, left_out)
        assert code == -signal.SIGKILL, f"{kill}: ended with {code}\n{told}"

    def _seen_after(self, depot: Depot, kill: Kill) -> Iterator[str]:
        before, after = self.seen[kill.day, kill.stage], self.ends[kill.day][1]
        try:
            yield from invariants.torn(invariants.public(depot), before, after)
        except Exception as error:  # noqa: BLE001 - whatever a reader gets
            yield f"torn: {type(error).__name__}: {error}"

    def recovered(self, depot: Depot, kill: Kill, after: int) -> list[str]:
        """Take up what a kill left, in at most three tries; return what does not hold."""
        problem = ""
        for _ in range(TRIES):
            try:
                self.take_up(depot, DAYS[kill.day], kill.stage, after)
                return list(self.violations(depot, kill.day))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                problem = f"{type(error).__name__}: {error}"
        return [f"stuck: not taken up in {TRIES} tries: {problem}"]

    def violations(self, depot: Depot, day: int) -> Iterator[str]:
        """Yield what does not hold at the end of a day."""
        yield from self.unsound(depot)
        yield from invariants.differences(invariants.contents(depot), self.ends[day][0], "as if never killed")

    def unsound(self, depot: Depot) -> Iterator[str]:
        """Yield what never holds between runs; a further run, which has nothing to write, is a part of it."""
        yield from invariants.unledgered(depot)
        yield from invariants.unbalanced(depot)
        yield from invariants.not_good(depot)
        yield from invariants.leftovers(depot)
        before = invariants.versions(depot)
        self.take_up(depot, Day(), "run", 0)
        after = invariants.versions(depot)
        yield from (
            f"written again: {name}: {before[name]} to {at}" for name, at in after.items() if before[name] != at
        )

    def shown_without(self, name: str) -> list[str]:
        """Leave a protection out, kill and take up, and return what the harness finds."""
        left = controls.CONTROLS[name]
        where, _, nth = left.dies_at.partition(":")
        kill = Kill(left.day, left.stage, where, int(nth or 1))
        depot = self.before[kill.day, kill.stage].copy(self.folder / f"control-{self.kills}")
        after = lines(depot)
        try:
            self.killed(depot, kill, name)
            found = list(self._seen_after(depot, kill))
            with controls.without(name):
                return found + self.recovered(depot, kill, after)
        finally:
            shutil.rmtree(depot.folder)


def child(
    depot: Depot, stage: str, day: str, variables: Mapping[str, str], left_out: str = "", seconds: float | None = None
) -> tuple[int, str]:
    """Run a stage in a process group of its own, killed after some seconds; return its exit code and what it said."""
    home = {"MEDALLION_HOME": str(depot.project), "PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.child", str(depot.project), str(depot.folder), stage, day, left_out],
        cwd=PROJECT,
        env={**os.environ, **home, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        told = ""
        try:
            told, _ = process.communicate(timeout=seconds or _SECONDS)
        except subprocess.TimeoutExpired:
            assert seconds, f"{stage}: not done in {_SECONDS} s"
        finally:
            end(process.pid)
            process.wait()
    return process.returncode, told[-3000:]


def end(group: int) -> None:
    """End what is left of a process group of ours, and wait until nothing is."""
    for _ in range(100):
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.05)


@contextmanager
def _noting(log: Path) -> Iterator[None]:
    faults._ARMED, faults._LOG = True, str(log)
    try:
        yield
    finally:
        faults._ARMED, faults._LOG = False, ""


def say(line: str) -> None:
    """Print a line at once; for tests that take long, with capture switched off."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def lines(depot: Depot) -> int:
    return ledger.read(depot.ledger).lines


def kinds(found: list[str]) -> Counter[str]:
    """Count violations by their kind: the word before the first colon."""
    return Counter(re.split(r":", one, maxsplit=1)[0] for one in found)
