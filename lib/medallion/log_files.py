"""What of a table is still there on storage: commits of its log, data and change files; told before they are read.

A log with an empty commit is read by many as one that never was, a feed with a gap as a change that never happened.
Only local folders are looked through; on others whoever reads says what is missing.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from medallion import checksum
from medallion.errors import HistoryError, some
from medallion.small import is_small

if TYPE_CHECKING:
    from deltalake import DeltaTable

_FEED = "delta.enableChangeDataFeed"
_FEED_TEXT = 65_535  # characters in which Delta hands on which rows of a file a commit marked as deleted
_BLOCK = 65_536  # rows that a Roaring bitmap has a container for
FILE_ROWS = 6 * _BLOCK  # of a file, at most: whatever is marked in one fits


def opened(name: str, path: str, version: int | None = None) -> "DeltaTable":
    """Return a table at a version (None: the newest); raises HistoryError where its log is not whole."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    log = _Log.of(path)
    trouble = log.trouble()
    if trouble:
        raise HistoryError(f"{name}: {path}/_delta_log: {trouble}")
    try:
        return DeltaTable(path, version=version)
    except DeltaError as error:
        raise HistoryError(unreadable(name, path, error)) from error


def unreadable(name: str, path: str, error: Exception) -> str:
    """Say that a log cannot be read, why, and what mends it."""
    told = str(error).strip().splitlines()[0][:200]
    return f"{name}: {path}/_delta_log: cannot be read: {told}; {_Log.of(path).way_out()}"


@dataclass(frozen=True)
class _Log:
    """The files of a local table's log by version; of one elsewhere nothing is known."""

    commits: Mapping[int, Path]
    checkpoints: frozenset[int]
    checksums: frozenset[int]

    @classmethod
    def of(cls, path: str) -> "_Log":
        commits: dict[int, Path] = {}
        found: dict[str, set[int]] = {"checkpoint": set(), "crc": set()}
        for place in _listed(path):
            number, _, kind = place.name.partition(".")
            if kind == "json":
                commits[int(number)] = place
            elif kind.partition(".")[0] in found:
                found[kind.partition(".")[0]].add(int(number))
        return cls(commits, frozenset(found["checkpoint"]), frozenset(found["crc"]))

    def trouble(self) -> str | None:
        """Say what readers may not notice: a commit that is empty, missing between others, or lost at the end."""
        if not self.commits:
            return None
        newest = max(self.commits)
        empty = [place.name for place in self.commits.values() if not place.stat().st_size]
        if empty:
            return f"found {some(sorted(empty))} empty; wanted the commit: bring it back from a backup"
        since = max((number for number in self.checkpoints if number <= newest), default=-1)
        missing = [number for number in range(since + 1, newest) if number not in self.commits]
        if missing:
            return f"found no commit of version {some(missing)}; wanted it: bring the file back from a backup"
        ahead = max(self.checkpoints, default=-1)
        if ahead > newest:
            return f"found a checkpoint of version {ahead}, but no commit of it; wanted {ahead:020}.json from a backup"
        read = [place for number, place in self.commits.items() if number > since or number == newest]
        damaged = sorted(place.name for place in read if checksum.differs(place))
        if damaged:
            return (
                f"found {some(damaged)} damaged: its bytes differ from the checksum beside it; wanted its commits "
                "as they were: bring the folder back from a backup"
            )
        lost = max(self.checksums, default=-1)
        if lost > newest:
            return (
                f"found the checksum of version {lost}, but no commit of it; wanted {lost:020}.json: bring it back "
                f"from a backup; without one remove {lost:020}.crc: the table is at version {newest} then, and the "
                "next run makes up for what was lost"
            )
        return None

    def way_out(self) -> str:
        """Say what mends a log: a checkpoint is but a shortcut while all commits are there."""
        if self.commits and 0 in self.commits and all(map(_parses, self.commits.values())):
            return (
                "all its commits are there: remove _last_checkpoint and *.checkpoint.parquet from the folder, they are "
                "made again"
            )
        return "wanted its commits as they were: bring the folder back from a backup"


def files_gone(name: str, path: str, version: int) -> str | None:
    """Say which data files of a table's version are gone or, of a small one, damaged; None where all are well."""
    table = opened(name, path, version)
    return _gone(table) or (_damaged(table) if is_small(table) else None)


def require_files(name: str, table: "DeltaTable") -> None:
    """Raise HistoryError where data files of the table's version are gone."""
    gone = _gone(table)
    if gone:
        raise HistoryError(
            f"{name}: {gone}; wanted them back from a backup: without one move the table's folder away, and the next "
            "run makes it anew from what it reads"
        )


def require_sound(name: str, table: "DeltaTable") -> None:
    """Raise HistoryError where bytes of the table's files are not those that were written.

    Spark looks at the checksums beside files itself; delta-rs, which reads what is small, does not.
    """
    damaged = _damaged(table)
    if damaged:
        raise HistoryError(
            f"{name}: {damaged}; wanted it as it was: bring it back from a backup; without one move the table's folder "
            "away, and the next run makes it anew from what it reads"
        )


def _damaged(table: "DeltaTable") -> str | None:
    damaged = [place.name for place in _places(table) if checksum.differs(place)]
    if not damaged:
        return None
    return f"version {table.version()}: found {some(damaged)} damaged: its bytes differ from the checksum beside it"


def _places(table: "DeltaTable") -> list[Path]:
    """Return the local data files of a table, and the files beside them that mark rows as deleted."""
    places = list(dict.fromkeys(place for uri in table.file_uris() for place in _local(uri) if place.exists()))
    folders = {place.parent for place in places}
    return places + [vector for folder in folders for vector in folder.glob("deletion_vector_*.bin")]


def _gone(table: "DeltaTable") -> str | None:
    uris = [uri for uri in table.file_uris() if "://" not in uri.removeprefix("file://")]
    places = [Path(uri) for uri in uris if not any(place.exists() for place in _local(uri))]
    if not places:
        return None
    return f"version {table.version()}: {len(places)} of its files are gone: {some(place.name for place in places)}"


def feed_gap(path: str, after: int, until: int) -> str | None:
    """Return why the change feed of versions (after, until] cannot be followed; None where it can, or nothing tells.

    It may have been off for a while, or its files may have been removed before they were read.
    """
    if not _listed(path) or after >= until:
        return None
    first = _opened_as_is(path, after + 1)
    if first.metadata().configuration.get(_FEED) != "true":
        return f"its change feed was off at version {after + 1}"
    columns = _columns(json.loads(first.schema().to_json()))
    for version in range(after + 1, until + 1):
        actions = _actions(path, version)
        for metadata in (action["metaData"] for action in actions if "metaData" in action):
            if not _says_fed(metadata):
                return f"its change feed was turned off at version {version}"
            now = _columns(json.loads(metadata["schemaString"]))
            if not columns.items() <= now.items():
                return f"columns went, or changed their types, at version {version}: no feed leads over that"
            columns = now
        gone = [file for file in _told_by(actions) if not Path(path, unquote(file)).exists()]
        if gone:
            return f"files of its change feed are gone: {some(gone)} of version {version}"
        if many := _too_many(actions):
            return f"version {version} marked {many:,} rows of one file as deleted: its feed cannot be read"
        damaged = [file for file in _told_by(actions) if checksum.differs(Path(path, unquote(file)))]
        if damaged:
            return f"files of its change feed are damaged: {some(damaged)} of version {version}"
    return None


def _too_many(actions: Sequence[dict[str, Any]]) -> int:
    """Return how many rows of a file a commit marked as deleted, where Delta cannot read that back from its feed; or 0.

    Where rows of the file were marked before, it hands the difference of both vectors on as a text of at most 65,535
    characters, four bytes in five; a Roaring bitmap takes two bytes a row, of 65,536 rows no more than 8 KiB.
    """
    if any("cdc" in action for action in actions):
        return 0
    before = {one["path"]: _marked(one) for action in actions if (one := action.get("remove"))}
    for one in (action["add"] for action in actions if "add" in action):
        more = _marked(one) - before.get(one["path"], 0) if before.get(one["path"]) else 0
        blocks = -(-int(json.loads(one.get("stats") or "{}").get("numRecords", 2**31)) // _BLOCK)
        if more and min(2 * more, 8192 * blocks) + 16 * blocks + 64 > _FEED_TEXT * 4 // 5:
            return more
    return 0


def _marked(file: Mapping[str, Any]) -> int:
    return int((file.get("deletionVector") or {}).get("cardinality", 0))


@dataclass(frozen=True)
class FeedFiles:
    """The files that a change feed is read from: their bytes, and whether rows in them are marked as deleted."""

    bytes: int
    has_vectors: bool


def feed_files(path: str, after: int, until: int) -> FeedFiles | None:
    """Return what the feed of versions (after, until] is read from; None of a table that is not in a local folder."""
    if not _listed(path):
        return None
    told = [one for version in range(after + 1, until + 1) for one in _changes(_actions(path, version))]
    return FeedFiles(sum(one.get("size") or 0 for one in told), any(one.get("deletionVector") for one in told))


def _told_by(actions: Sequence[dict[str, Any]]) -> list[str]:
    return [one["path"] for one in _changes(actions)]


def _changes(actions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the files from which a commit's changes are read: change files, else those it added and removed."""
    changed = [action["cdc"] for action in actions if "cdc" in action]
    if changed:
        return changed
    moved = [action.get("add") or action.get("remove") for action in actions if "add" in action or "remove" in action]
    return [one for one in moved if one and one.get("dataChange")]


def _opened_as_is(path: str, version: int) -> "DeltaTable":
    from deltalake import DeltaTable

    return DeltaTable(path, version=version)


def _columns(schema: dict[str, Any]) -> dict[str, str]:
    """Return the columns of a schema in a log, with their types as text."""
    return {field["name"]: json.dumps(field["type"], sort_keys=True) for field in schema["fields"]}


def _says_fed(metadata: dict[str, Any]) -> bool:
    return bool(metadata.get("configuration", {}).get(_FEED) == "true")


def _actions(path: str, version: int) -> list[dict[str, Any]]:
    text = Path(path, "_delta_log", f"{version:020}.json").read_text()
    return [json.loads(line) for line in text.splitlines() if line]


def _parses(place: Path) -> bool:
    try:
        return all(isinstance(json.loads(line), dict) for line in place.read_text().splitlines() if line)
    except ValueError:
        return False


def _listed(path: str) -> list[Path]:
    """Return the numbered files of a local table's log."""
    folder = Path(path, "_delta_log")
    try:
        names = [] if "://" in path else os.listdir(folder)
    except OSError:
        return []
    return [folder / name for name in names if name[:20].isdigit() and name[20:21] == "."]


def _local(uri: str) -> tuple[Path, ...]:
    """Return where a file may be: delta-rs writes a folder such as ``my lake`` as ``my%20lake``, which it may be."""
    path = uri.removeprefix("file://")
    return Path(path), Path(unquote(path))
