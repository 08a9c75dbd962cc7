"""What tests count for docs/reliability.md: lines of JSON in the file that MEDALLION_FIGURES names, else nothing."""

import json
import os


def note(row: str, **counts: int) -> None:
    """Add counts to a row of the table; those of the same name are summed up over all tests."""
    _write({"row": row, "counts": counts})


def control(row: str, what: str, *, red: bool) -> None:
    """Say of a protection of that row, left out on purpose, whether that was seen."""
    _write({"row": row, "control": what, "red": red})


def seed(row: str, value: int) -> None:
    """Say which seed a row's choices were made by."""
    _write({"row": row, "seed": value})


def _write(line: object) -> None:
    path = os.environ.get("MEDALLION_FIGURES")
    if path:
        with open(path, "a") as handle:
            handle.write(json.dumps(line) + "\n")
