"""Whether a table's files are worth to be written anew: many small ones as few, or all in ranges of the key."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from medallion.audit.log import File, Log
from medallion.audit.pins import Pin
from medallion.commits import LARGE_BYTES
from medallion.log_files import FILE_ROWS
from medallion.tables import Bronze, Table

TARGET_BYTES = 128 * 1024 * 1024  # of a file: few enough of them, and each read in seconds
# Fewer files than that, or marked rows below that share, are not worth a commit.
_SAVED_FILES = 8
_MARKED = 0.1
# A table is clustered anew once so much of it came since, and a file's range meets so many others' on average.
_CAME_SINCE = 0.2
_OVERLAPS = 4.0


@dataclass(frozen=True)
class Layout:
    """How files are to be written anew: those below the first of ``sizes`` bytes, up to the second; or all by a key."""

    why: str
    files_after: int
    sizes: tuple[int, int]
    by: tuple[str, ...] = ()

    @property
    def technique(self) -> str:
        """The word for it in accounts."""
        return "cluster" if self.by else "compact"


def of(pin: Pin, table: Table) -> Layout | None:
    """Return how a table's files are to be written anew, None where nothing is to be gained."""
    files = list(pin.log.snapshot(pin.version).files.values())
    rows = sum(file.rows or 0 for file in files)
    size = sum(file.bytes for file in files)
    if not rows or any(file.rows is None for file in files):
        return None
    # Files hold no more rows than a change feed can tell of (`log_files.FILE_ROWS`), whatever their bytes.
    target = max(1, min(TARGET_BYTES, int(0.9 * FILE_ROWS * size / rows)))
    by = _scattered(pin.log, files, table, size)
    if by:
        after = -(-size // target)
        return Layout(f"{len(files):,} files overlap by {', '.join(by)}", after, (target, target), by)
    small = [file for file in files if file.bytes < 0.75 * target and (file.rows or 0) < 0.75 * FILE_ROWS]
    after = -(-sum(file.bytes for file in small) // target)
    marked = sum(file.deleted for file in files) / rows
    if len(small) - after < _SAVED_FILES and marked < _MARKED:
        return None
    told = [f"{len(small):,} small files"] if len(small) - after >= _SAVED_FILES else []
    told += [f"{marked:.0%} of its rows are marked as deleted"] if marked >= _MARKED else []
    smallest = max((file.bytes for file in small), default=0) + 1
    return Layout(" and ".join(told), len(files) - len(small) + after, (smallest, target))


def _scattered(log: Log, files: Sequence[File], table: Table, size: int) -> tuple[str, ...]:
    """Return by which columns a large table is to be clustered: those of its key, where files overlap by the first."""
    key = () if isinstance(table, Bronze) else tuple(table.key)[:2]
    if not key or size < LARGE_BYTES or len(files) < _SAVED_FILES or _came_since(log, files) < _CAME_SINCE:
        return ()
    ranges = [
        (told.get("minValues", {}).get(key[0]), told.get("maxValues", {}).get(key[0]))
        for told in (file.told() for file in files)
    ]
    known = [(low, high) for low, high in ranges if low is not None and high is not None]
    if len(known) < len(files):
        return ()
    met = sum(low <= other[1] and other[0] <= high for low, high in known for other in known)
    return key if met / len(known) > _OVERLAPS else ()


def _came_since(log: Log, files: Sequence[File]) -> float:
    """Return what share of a table's bytes came after it was clustered last; all of it where it never was."""
    clustered = [e for e in log.entries.values() if json.loads(_ordered_by(e.info) or "[]")]
    if not clustered:
        return 1.0
    laid = {str(action["path"]) for action in clustered[-1].of("add")}
    return sum(file.bytes for file in files if file.path not in laid) / max(1, sum(file.bytes for file in files))


def _ordered_by(info: "dict[str, object] | object") -> str:
    told = info.get("operationParameters", {}) if isinstance(info, dict) else {}
    return str(told.get("zOrderBy", "")) if isinstance(told, dict) else ""
