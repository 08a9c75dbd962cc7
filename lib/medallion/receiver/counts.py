"""How a receiver fares, in numbers: a line a minute, where anything was posted."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable

_SECONDS = 60


def to_stderr(line: str) -> None:
    """Write a line for whoever watches over the receiver."""
    sys.stderr.write(line + "\n")


class Counts:
    """Answers by status, since the last line and in all."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.all: Counter[int] = Counter()
        self._new: Counter[int] = Counter()
        self._say = say

    def add(self, status: int) -> None:
        """Count an answer."""
        self._new[status] += 1
        self.all[status] += 1

    async def tell_each_minute(self) -> None:
        """Say for each minute what was answered in it; nothing where nothing was."""
        while True:
            await asyncio.sleep(_SECONDS)
            self.tell()

    def tell(self) -> None:
        """Say what was answered since the last time."""
        if self._new:
            self._say(told(self._new))
            self._new = Counter()


def told(counts: Counter[int]) -> str:
    """Return counts as a line: ``stored 1,204, known 3, refused 5 (401: 4, 413: 1), not stored 0``."""
    refused = {status: count for status, count in sorted(counts.items()) if 400 <= status < 500}
    detail = ", ".join(f"{status}: {count:,}" for status, count in refused.items())
    failed = sum(count for status, count in counts.items() if status >= 500)
    return (
        f"stored {counts[202]:,}, known {counts[200]:,}, refused {sum(refused.values()):,}"
        f"{f' ({detail})' if detail else ''}, not stored {failed:,}"
    )
