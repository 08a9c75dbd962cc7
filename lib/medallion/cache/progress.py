"""Tells on stderr what a sync is doing while it does it."""

import time
from types import TracebackType
from typing import TYPE_CHECKING

from medallion.output import console

if TYPE_CHECKING:
    from rich.text import Text


class Saying:
    """What `cache_sync.sync` tells, as a line that moves on a terminal, and as a line a phase elsewhere."""

    def __init__(self) -> None:
        from rich.live import Live

        self._console = console(stderr=True)
        self._started = time.monotonic()
        self._doing = ("", "starting")
        self._rows = (0, 0)
        self._live = Live(console=self._console, get_renderable=self._line, refresh_per_second=4, transient=True)

    def __enter__(self) -> "Saying":
        """Begin to speak."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def __call__(self, table: str, phase: str, rows: int, total: int) -> None:
        """Take note of a table's phase, and how many rows of how many it is through (0 of 0: no matter of rows)."""
        is_new = self._doing != (table, phase)
        self._doing, self._rows = (table, phase), (rows, total)
        if is_new and not self._console.is_terminal:
            self._console.print(self._line())

    def _line(self) -> "Text":
        from rich.text import Text

        rows, total = self._rows
        share = f", {rows:,} of {total:,} rows" if total else ""
        told = ": ".join(filter(None, self._doing))
        return Text(f"{time.monotonic() - self._started:6.1f} s  {told}{share}", overflow="ellipsis")
