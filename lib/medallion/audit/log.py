"""A table's Delta log, read entry by entry from its files, so that a damaged one can be told from a whole one.

The engine asks delta-rs and Delta, which read what is needed and trust it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from medallion.account import Account
from medallion.lake import replaced_by_key

Action = Mapping[str, Any]
FIRST_LINE = 200  # characters of an entry that is shown


@dataclass(frozen=True)
class Entry:
    """One version of the log: its actions in order, or why they cannot be read."""

    version: int
    path: Path
    actions: tuple[tuple[str, Action], ...]
    problem: str | None = None

    def of(self, kind: str) -> list[Action]:
        """Return the actions of a kind: add, remove, cdc, txn, metaData, commitInfo."""
        return [action for name, action in self.actions if name == kind]

    @cached_property
    def info(self) -> Action:
        """What the commit says of itself."""
        found = self.of("commitInfo")
        return found[0] if found else {}

    @cached_property
    def account(self) -> Account | None:
        """The engine's account; None where it is another's commit, or cannot be read."""
        try:
            return Account.from_json(self.info.get("userMetadata"))
        except (TypeError, KeyError, AttributeError):
            return None

    @property
    def at_ms(self) -> int:
        """When it was committed, in milliseconds since 1970; 0 where it does not say."""
        return int(self.info.get("inCommitTimestamp") or self.info.get("timestamp") or 0)

    @property
    def operation(self) -> str:
        """What kind of commit it is: WRITE, MERGE, SET TBLPROPERTIES."""
        return str(self.info.get("operation", ""))

    def metric(self, name: str) -> int:
        """Return one of Delta's own figures, 0 where it gives none."""
        return int(self.info.get("operationMetrics", {}).get(name) or 0)

    @property
    def replaced(self) -> tuple[int, int] | None:
        """Rows that went and came in a commit that replaced rows by their keys; None of any other commit."""
        return replaced_by_key(self.info.get("operationParameters", {}), self.info.get("operationMetrics", {}))

    @property
    def moves_rows(self) -> bool:
        """Whether it brings or takes rows."""
        return any(a.get("dataChange", True) for a in (*self.of("add"), *self.of("remove")))


@dataclass(frozen=True)
class File:
    """A file that holds rows of a version; ``deleted`` of its rows are marked as gone."""

    path: str
    bytes: int
    rows: int | None
    deleted: int = 0
    vector: str | None = None  # path of the file with its deletion vector, if it is in one
    statistics: str | None = field(default=None, compare=False)  # as the log has them, JSON

    def told(self) -> Mapping[str, Any]:
        """Return its statistics: numRecords, minValues, maxValues, nullCount."""
        found: Mapping[str, Any] = json.loads(self.statistics) if self.statistics else {}
        return found


@dataclass
class Snapshot:
    """A version as its log tells it."""

    files: dict[str, File] = field(default_factory=dict)
    table_id: str | None = None
    configuration: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int | None:
        """How many rows it has; None where a file does not say."""
        counts = [file.rows for file in self.files.values()]
        if any(count is None for count in counts):
            return None
        return sum(count or 0 for count in counts) - sum(file.deleted for file in self.files.values())

    @property
    def bytes(self) -> int:
        """How many bytes its files have, by the log."""
        return sum(file.bytes for file in self.files.values())

    def apply(self, entry_actions: "tuple[tuple[str, Action], ...]") -> None:
        """Take in the actions of a commit or of a checkpoint."""
        for kind, action in entry_actions:
            if kind == "remove":
                self.files.pop(_path(action), None)
        for kind, action in entry_actions:
            if kind == "add":
                self.files[_path(action)] = file_of(action)
            if kind == "metaData":
                self.table_id = action.get("id")
                self.configuration = dict(action.get("configuration") or {})


class Log:
    """The log of the table in a folder, up to a version (None: the newest); read once."""

    def __init__(self, folder: str, until: int | None = None) -> None:
        self.folder = Path(folder)
        self.place = self.folder / "_delta_log"
        numbered = {int(p.stem): p for p in self.place.glob("*.json") if re.fullmatch(r"\d{20}", p.stem)}
        self.newest = max(numbered, default=-1) if until is None else until
        self.entries = {v: _entry(v, path) for v, path in sorted(numbered.items()) if v <= self.newest}
        sums = (int(p.stem) for p in self.place.glob("*.crc") if re.fullmatch(r"\d{20}", p.stem))
        self.lost = sorted(version for version in sums if version > self.newest) if until is None else []
        found = ((int(p.name[:20]), p) for p in self.place.glob("*.checkpoint*.parquet"))
        self.checkpoints = {version: path for version, path in sorted(found) if version <= self.newest}

    @property
    def oldest(self) -> int:
        """The oldest version that is still told."""
        return min(self.entries, default=-1)

    @property
    def readable(self) -> int:
        """The oldest version that is told both by itself and as a whole; raises LookupError where none is."""
        return max(self.oldest, self._start() or 0)

    def accounts(self) -> Iterator[tuple[Entry, Account]]:
        """Yield the engine's commits with their accounts, oldest first."""
        for entry in self.entries.values():
            if entry.account is not None:
                yield entry, entry.account

    def snapshot(self, version: int) -> Snapshot:
        """Return a version, from the commits alone where they are all there, else from a checkpoint on.

        Raises LookupError where neither tells.
        """
        return next(found for at, found in self.snapshots() if at == version)

    def snapshots(self) -> Iterator[tuple[int, Snapshot]]:
        """Yield versions, oldest first, in one object that goes along; raises LookupError where none can be told."""
        start = self._start()
        state = Snapshot()
        if start is not None:
            state.apply(checkpoint_actions(self.checkpoints[start]))
            yield start, state
        first = -1 if start is None else start
        for version in range(first + 1, self.newest + 1):
            if version not in self.entries:
                raise LookupError(f"version {version} is not in its log")
            state.apply(self.entries[version].actions)
            yield version, state

    def _start(self) -> int | None:
        """Return the checkpoint to start from; None where the log begins at version 0."""
        if 0 in self.entries:
            return None
        known = [version for version in self.checkpoints if version >= self.oldest - 1]
        if not known:
            raise LookupError("neither its first version nor a checkpoint is there")
        return min(known)


def checkpoint_actions(path: Path) -> tuple[tuple[str, Action], ...]:
    """Return what a checkpoint says: adds and the table's metadata."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    rows = table.select([name for name in ("add", "metaData") if name in table.column_names]).to_pylist()
    return tuple((kind, _plain(action)) for row in rows for kind, action in row.items() if action is not None)


def file_of(action: Action) -> File:
    """Return the file that an ``add`` names."""
    stats = action.get("stats")
    rows = json.loads(stats).get("numRecords") if stats else None
    vector = action.get("deletionVector") or {}
    return File(
        _path(action), int(action["size"]), rows, int(vector.get("cardinality") or 0), _vector_path(vector), stats
    )


def _path(action: Action) -> str:
    return unquote(str(action["path"]))


def _vector_path(vector: Action) -> str | None:
    """Return where a deletion vector of a file of its own lies: its name is a UUID in Base85, perhaps with a prefix."""
    import base64
    import uuid

    if vector.get("storageType") != "u":
        return None
    told = str(vector["pathOrInlineDv"])
    prefix, encoded = told[:-20], told[-20:]
    name = uuid.UUID(bytes=base64.b85decode(_as_python_has_it(encoded)))
    return f"{prefix}/deletion_vector_{name}.bin" if prefix else f"deletion_vector_{name}.bin"


def _as_python_has_it(encoded: str) -> str:
    """Return Z85, which Delta uses, in the alphabet of Python's Base85."""
    z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    b85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
    return encoded.translate(str.maketrans(z85, b85))


def _plain(action: Any) -> Action:
    """Return a checkpoint's action as a commit would have it: maps are lists of pairs there."""
    found = dict(action)
    if isinstance(found.get("configuration"), list):
        found["configuration"] = dict(found["configuration"])
    return found


def _entry(version: int, path: Path) -> Entry:
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        actions = tuple((kind, action) for line in lines for kind, action in line.items())
        for kind, action in actions:
            if kind == "add":
                file_of(action)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Entry(version, path, (), str(error).splitlines()[0][:FIRST_LINE])
    return Entry(version, path, actions) if actions else Entry(version, path, (), "it is empty")
