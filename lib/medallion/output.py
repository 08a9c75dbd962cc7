"""How an answer leaves the program: one JSON document, or text as wide as the terminal."""

import json
import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100  # at least, of text that goes to a file or a pipe
# What a terminal obeys instead of printing it, or turns the order of letters by; and halves of letters.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def as_text(facts: object, indent: int | None = 2) -> str:
    """Return facts as JSON; decimals, dates and instants become text, so that nothing is rounded."""
    text = json.dumps(facts, indent=indent, ensure_ascii=False, default=_plain)
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def printable(text: str) -> str:
    """Return text as a terminal prints it; what it would obey instead is written out, such as ``\\x1b``."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_a_line(text: str) -> str:
    """Return text that somebody gave as a part of a line."""
    return printable(text).replace("\n", "\\n")


def tell(facts: object, render: "Callable[[Console], None]", *, json: bool) -> None:
    """Print an answer on stdout: its facts as JSON, or as it renders itself."""
    if json:
        sys.stdout.write(as_text(facts) + "\n")
    else:
        render(console())


def console(*, stderr: bool = False) -> "Console":
    """Return a console on stdout or stderr, as wide as its terminal, or wide enough where there is none.

    What it prints is text and nothing else: no markup, no names of pictures, nothing that a terminal obeys.
    """
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Plain(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for one in super().render(renderable, options):
                yield one if one.control else Segment(printable(one.text), one.style)

    made = Plain(stderr=stderr, highlight=False, soft_wrap=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = max(made.width, WIDTH)
    return made


def counted(count: int, things: str) -> str:
    """Return a number of things for people: 1,024 rows, 1 row; a word that is no plural stays as it is."""
    one = things.removesuffix("ies") + "y" if things.endswith("ies") else things.removesuffix("s")
    return f"{count:,} {one if count == 1 else things}"


def size(count: int) -> str:
    """Return a number of bytes for people: 1.2 MB."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 1000 or unit == "GB":
            break
    return f"{amount:.1f} {unit}"


def lasting(seconds: float) -> str:
    """Return a length of time in words: 12 s, 5 min, 3 h 20 min, 4 days 2 h; of what is yet to come 0 s."""
    seconds = max(seconds, 0)
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days {hours % 24} h"


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
