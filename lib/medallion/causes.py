"""What is behind an error of Spark, delta-rs, SQLite or the system, in a line; and what a person can do about it."""

import re
from typing import Any

from medallion import master

_CAUSE = re.compile(r"^\s*Caused by: (?:[\w.$]+: )?(\S.*)$", re.MULTILINE)
_RAISED = re.compile(r"^(?:[\w.]+(?:Error|Exception)): .*$", re.MULTILINE)
_NEXT = "; what was committed stays, and the next run goes on from there"
# What stands in an error, and what is told besides; the first that fits.
_REMEDIES = (
    (
        r"No space left on device|database or disk is full|os error 28\b",
        f"the disk is full; wanted room: free some, then run again{_NEXT}",
    ),
    (
        r"disk I/O error|Input/output error|os error 5\b",
        f"the disk is full, or fails; wanted room on a sound one, then run again{_NEXT}",
    ),
    (
        r"Read-only file system|readonly database|Operation not permitted|Permission denied|os error (30|13|1)\b",
        f"it may not be written; wanted a folder that this user may write: give it back, then run again{_NEXT}",
    ),
    (
        r"[Cc]hecksum (error|exception)|ChecksumException|could not verify page|is not a Parquet file"
        r"|[Cc]ould not read footer|FAILED_READ_FILE|malformed|not a database",
        "a file is damaged; `medallion audit` names it; wanted it as it was: restore it from a backup",
    ),
    (
        r"Python worker (exited|failed)|Python worker process terminated|crashed\)",
        "a Python worker of Spark died, as one does that is killed for its memory; wanted more memory, or less work at "
        f"a time{_NEXT}",
    ),
)


def of_the_world() -> tuple[type[Exception], ...]:
    """Return kinds of errors that are the world's and not the code's: a stack would tell nothing that these do not."""
    import sqlite3  # which few commands need

    return (OSError, sqlite3.Error)


def told(error: BaseException) -> str:
    """Return in a line what an error says, what is behind it, and what helps where that is known."""
    text = _all_of(error)
    said = [_first(error)]
    behind = _CAUSE.findall(text)
    if behind and behind[-1].strip() not in said[0]:
        said.append(behind[-1].strip())
    raised = _RAISED.findall(text) if said[0].endswith(":") else []
    said += raised[-1:]  # what a function of Python's own raised stands below its stack
    helps = next((help for pattern, help in _REMEDIES if re.search(pattern, text)), None)
    return "; ".join([*said, *([helps] if helps else [])])


def _first(error: BaseException) -> str:
    if hasattr(error, "java_exception"):  # py4j's own words say no more than that there is one
        return master.first_line(error)
    if isinstance(error, OSError):
        return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    said = str(error).strip().splitlines()
    return re.sub(r"^\([\w.$]+\) ", "", said[0]) if said else type(error).__name__  # a server puts Java's class before


def _all_of(error: BaseException) -> str:
    """Return all that an error says, with the stack that came with it from Java."""
    java: Any = getattr(error, "_stackTrace", None) or getattr(error, "_stacktrace", None)
    return f"{error}\n{java or ''}"
