"""What a process and all it started use, looked at from outside: memory and processor time, from /proc."""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_EVERY_SECONDS = 0.25
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """One look at a tree of processes: resident bytes, and seconds of processor time so far."""

    at: float
    bytes: int
    cpu_seconds: float


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    bytes: int
    address_space: int
    cpu_seconds: float


class Watch:
    """Looks at processes and their descendants until it is closed; times are of the monotonic clock."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._samples: list[Sample] = []
        self._ended: dict[int, float] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()
        self._thread.join()

    def peak_bytes(self, start: float, end: float) -> int:
        """Return the most memory that was resident at once between two moments."""
        return max((sample.bytes for sample in self._samples if start <= sample.at <= end), default=0)

    def cpu_seconds(self, start: float, end: float) -> float:
        """Return the processor time used between two moments."""
        within = [sample.cpu_seconds for sample in self._samples if start <= sample.at <= end]
        return within[-1] - within[0] if within else 0.0

    def _look(self) -> None:
        while not self._closed.wait(_EVERY_SECONDS):
            found = _tree(self._pids)
            # A process that has ended is not there any more, while what it used was used.
            self._ended |= {process.pid: process.cpu_seconds for process in found}
            total = sum(self._ended.values())
            self._samples.append(Sample(time.monotonic(), sum(process.bytes for process in found), total))


def _tree(roots: Sequence[int]) -> list[_Process]:
    """Return processes and their descendants, those that are there."""
    children: dict[int, list[_Process]] = defaultdict(list)
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (process := _process(folder)) is not None:
            children[process.parent].append(process)
            if process.pid in roots:
                found.append(process)
    for process in found:  # grows while it is walked
        # A child that is just being started still is in its parent's memory, which must not count twice.
        found += [child for child in children[process.pid] if child.address_space != process.address_space]
    return found


def _process(folder: Path) -> _Process | None:
    try:
        words = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has just ended
        return None
    cpu_seconds = (int(words[11]) + int(words[12])) / _TICKS
    return _Process(int(folder.name), int(words[1]), int(words[21]) * _PAGE, int(words[20]), cpu_seconds)
