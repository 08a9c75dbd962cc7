"""How an answer leaves the program: one JSON document, or text as wide as the terminal."""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100  # at least, of text that goes to a file or a pipe


def as_text(facts: object, indent: int | None = 2) -> str:
    """Return facts as JSON; decimals, dates and instants become text, so that nothing is rounded."""
    return json.dumps(facts, indent=indent, ensure_ascii=False, default=_plain)


def tell(facts: object, render: "Callable[[Console], None]", *, json: bool) -> None:
    """Print an answer on stdout: its facts as JSON, or as it renders itself."""
    if json:
        sys.stdout.write(as_text(facts) + "\n")
    else:
        render(console())


def console(*, stderr: bool = False) -> "Console":
    """Return a console on stdout or stderr, as wide as its terminal, or wide enough where there is none."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
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


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
