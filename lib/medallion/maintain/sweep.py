"""Files and log entries of a table that no version needs which has to stay."""

import os
from dataclasses import dataclass
from pathlib import Path

from medallion import clock
from medallion.audit.log import Log, file_of
from medallion.audit.pins import Pin
from medallion.faults import point
from medallion.maintain.needs import Needs

# What is as young stays besides, so that the time from the look at a log to the removal does not count.
SLACK_MS = 60 * 60 * 1000
_CHANGES = "_change_data"


@dataclass(frozen=True)
class Found:
    """So many files of so many bytes."""

    files: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, places: "list[Path]") -> "Found":
        """Return how many files there are, of how many bytes."""
        return cls(len(places), sum(place.stat().st_size for place in places))

    def __add__(self, other: "Found") -> "Found":
        """Return both together."""
        return Found(self.files + other.files, self.bytes + other.bytes)


NOTHING = Found()


def on_disk(folder: Path) -> Found:
    """Return what a table's folder holds: data, changes and vectors; its log apart."""
    return Found.of(_data_files(folder))


def hours(need: Needs) -> float:
    """Return for how many hours VACUUM is to leave what was removed, counted from now."""
    return max(0.0, clock.milliseconds() - need.since_ms + SLACK_MS) / 3_600_000


def removable(pin: Pin, need: Needs) -> list[Path]:
    """Return the files in a table's folder that VACUUM removes then; none where versions stay for good."""
    if need.kept is None:
        return []
    before_ms = need.since_ms - SLACK_MS
    needed = _needed(pin.log, need.floor, before_ms)
    return [
        place
        for place in _data_files(pin.log.folder)
        if str(place.relative_to(pin.log.folder)) not in needed and place.stat().st_mtime * 1000 < before_ms
    ]


def log_removable(pin: Pin, need: Needs) -> list[Path]:
    """Return the log's files before the last checkpoint that comes no later than what is needed, the oldest first."""
    if need.kept is None:
        return []
    whole = [
        version for version, path in pin.log.checkpoints.items() if path.name == f"{version:020d}.checkpoint.parquet"
    ]
    start = max((version for version in whole if version <= need.floor), default=0)
    names = sorted(name for name in os.listdir(pin.log.place) if name.lstrip(".")[:20].isdigit())
    return [pin.log.place / name for name in names if int(name.lstrip(".")[:20]) < start]


def clean_log(pin: Pin, need: Needs) -> Found:
    """Remove those; stopped anywhere, what is left can be read from the checkpoint on."""
    places = log_removable(pin, need)
    found = Found.of(places)
    for place in sorted(places, key=lambda one: one.name.lstrip(".")):
        place.unlink(missing_ok=True)
        point("maintain.log_entry_removed")
    return found


def _needed(log: Log, floor: int, before_ms: int) -> set[str]:
    """Return the files of a version and all after it, and those that went no longer ago than a moment."""
    needed: set[str] = set()
    for version, snapshot in log.snapshots():
        if version == floor:
            needed.update(*((file.path, file.vector or "") for file in snapshot.files.values()))
        if version <= floor or version not in log.entries:
            continue
        entry = log.entries[version]
        added = [file_of(action) for action in entry.of("add")]
        needed.update(*((file.path, file.vector or "") for file in added))
        needed.update(str(action["path"]) for action in entry.of("cdc"))
    for entry in log.entries.values():
        gone = [action for action in entry.of("remove") if int(action.get("deletionTimestamp") or 0) >= before_ms]
        needed.update(
            *((file_of({"size": 0, **action}).path, file_of({"size": 0, **action}).vector or "") for action in gone)
        )
    return needed


def _data_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name == _CHANGES or not name.startswith(("_", "."))]
        found += [Path(place, name) for name in names if not name.startswith(("_", "."))]
    return sorted(found)
