"""Tells on stderr what a run is doing while it does it."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from medallion.step import Outcome
from medallion.summary import rows_in, rows_out

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.text import Text


class Progress:
    """A listener for `run_tables`: a line for each table that ends, and on a terminal one that moves.

    Use as a context manager, and call it with what `run_tables` tells.
    """

    def __init__(
        self, console: "Console", total: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Speak to a console about a run of so many tables, if that is known; ``clock`` tells seconds."""
        from rich.live import Live

        self._console = console
        self._total = total
        self._clock = clock
        self._started = clock()
        self._working: list[str] = ["looking at what is new"]
        self._ended = 0
        self._live = Live(console=console, get_renderable=self._line, refresh_per_second=4, transient=True)

    def __enter__(self) -> "Progress":
        """Begin to speak."""
        if self._console.is_terminal:
            self._live.start()
        else:
            self._console.print(self._line())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def __call__(self, told: Outcome | str) -> None:
        """Take note that a table starts (its name) or has ended (its outcome)."""
        from rich.text import Text

        self._working = [name for name in self._working if "." in name]
        if isinstance(told, str):
            self._working.append(told)
            return
        self._working = [name for name in self._working if name != told.table]
        self._ended += 1
        style = "red" if told.status in ("failed", "blocked") else "dim" if told.status == "skipped" else ""
        self._console.print(Text(f"{self._elapsed()}  {told.table:34} {_summary(told)}", style=style))

    def _line(self) -> "Text":
        from rich.text import Text

        of = f" of {self._total}" if self._total else ""
        done = f"{self._ended}{of} tables: " if self._ended else f"{self._total} tables: " if self._total else ""
        return Text(f"{self._elapsed()}  {done}{', '.join(self._working) or 'closing'}", overflow="ellipsis")

    def _elapsed(self) -> str:
        return f"{self._clock() - self._started:6.1f} s"


def _summary(outcome: Outcome) -> str:
    if outcome.status in ("failed", "blocked"):
        return outcome.status
    if outcome.status == "skipped":
        return f"skipped, {outcome.reason}"
    return f"{outcome.technique}, {rows_in(outcome) or 0:,} rows in, {rows_out(outcome) or 0:,} out"
