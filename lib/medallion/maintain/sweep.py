"""Files and log entries of a table that no version needs which has to stay."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from medallion import clock, log_files
from medallion.account import NO_VERSION
from medallion.audit.log import File, Log, file_of
from medallion.audit.pins import Pin
from medallion.errors import HistoryError, some
from medallion.faults import point
from medallion.maintain.needs import Needs

# A file that no log entry names is left by a writer that died, or is of one at work; so old it is not of one at work.
_YOUNG_MS = 24 * 60 * 60 * 1000
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


def removable(pin: Pin, need: Needs) -> list[Path]:
    """Return the files in a table's folder that no version needs which has to stay.

    What a version needs is told by its log alone. VACUUM goes by how long ago a file was removed, and forgets removals
    once they are older than the table's property says: files of a version that is held longer would be gone.
    """
    needed, known = _told(pin.log, need.floor)
    if needed is None:
        raise HistoryError(f"{pin.name}: its log does not tell version {need.floor}, which has to stay; wanted it")
    young_ms = clock.milliseconds() - _YOUNG_MS
    found = []
    for place in _data_files(pin.log.folder):
        name = str(place.relative_to(pin.log.folder))
        if name not in needed and (name in known or place.stat().st_mtime * 1000 < young_ms):
            found.append(place)
    return found


def remove(pin: Pin, need: Needs) -> Found:
    """Remove those, with the checksums beside them; raises HistoryError where another reader of the log needs one."""
    places = removable(pin, need)
    _require_unneeded(pin, places)
    found = Found.of(places)
    for place in places:
        place.unlink(missing_ok=True)
        place.with_name(f".{place.name}.crc").unlink(missing_ok=True)
        point("maintain.file_removed")
    return found


def _require_unneeded(pin: Pin, places: "list[Path]") -> None:
    """Hold what is to go against what delta-rs says that the versions are made of which people read today."""
    for version in {pin.version, pin.shown, pin.data} - {NO_VERSION}:
        table = log_files.opened(pin.name, pin.path, version)
        read = {Path(unquote(uri.removeprefix("file://"))).name for uri in table.file_uris()}
        wrong = [place.name for place in places if place.name in read]
        if wrong:
            raise HistoryError(f"{pin.name}: version {version} needs {some(wrong)}, which its log does not tell; kept")


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


def _told(log: Log, floor: int) -> tuple[set[str] | None, set[str]]:
    """Return the files of a version and all after it, None where it is not told, and all that its log names."""
    needed: set[str] | None = None
    known: set[str] = set()
    for version, snapshot in log.snapshots():
        if version == floor:
            needed = {path for file in snapshot.files.values() for path in _paths(file)}
        entry = log.entries.get(version)
        if entry is not None:
            named = {path for action in entry.of("add") for path in _paths(file_of(action))}
            named.update(str(action["path"]) for action in entry.of("cdc"))
            known |= named
            if needed is not None and version > floor:
                needed |= named
            gone = ({"size": 0, **action} for action in entry.of("remove"))
            known.update(*(_paths(file_of(action)) for action in gone))
    return needed, known


def _paths(file: File) -> set[str]:
    return {path for path in (file.path, file.vector) if path}


def _data_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name == _CHANGES or not name.startswith(("_", "."))]
        found += [Path(place, name) for name in names if not name.startswith(("_", "."))]
    return sorted(found)
