"""The sender's own book, outside of the lakehouse: what it was about to send, and what was acknowledged to it."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

Payloads = dict[str, set[str]]  # by source


@dataclass
class Book:
    """What stands in a ledger."""

    sent: Payloads = field(default_factory=dict)
    acked: Payloads = field(default_factory=dict)
    lines: int = 0

    def is_acked(self, source: str, payload: str) -> bool:
        """Tell whether a payload was acknowledged."""
        return payload in self.acked.get(source, ())


def note(path: Path, what: str, source: str, payload: str) -> None:
    """Add a line that outlives this process: ``what`` is sent or acked."""
    line = json.dumps({"what": what, "source": source, "payload": payload}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path, after: int = 0) -> Book:
    """Return what a ledger holds after so many lines."""
    lines = path.read_text().splitlines() if path.exists() else []
    book = Book(lines=len(lines))
    for one in map(json.loads, lines[after:]):
        part = book.sent if one["what"] == "sent" else book.acked
        part.setdefault(one["source"], set()).add(one["payload"])
    return book
