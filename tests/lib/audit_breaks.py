"""What tests break in a copy of the yard, by plain file edits: as a bug, a disk or a person might."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medallion.audit.log import Log
from medallion.conf import Conf
from medallion.lake import Lake
from medallion.landing import Landing

Row = dict[str, Any]
Action = dict[str, Any]


@dataclass(frozen=True)
class Copy:
    """A copy of the lake that may be broken; short names: silver.orders."""

    conf: Conf

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.conf)

    def path(self, short: str) -> Path:
        return Path(self.lake.path(f"yard.{short}"))

    def log(self, short: str) -> Log:
        return Log(str(self.path(short)))

    def file(self, short: str, place: int = 0) -> Path:
        """Return a file that holds rows of the newest version; the first is of the oldest commit."""
        log = self.log(short)
        return self.path(short) / list(log.snapshot(log.newest).files)[place]

    def entry(self, short: str, version: int = -1) -> Path:
        """Return a commit of the log; -1 is the newest, -2 the one before."""
        entries = list(self.log(short).entries.values())
        return entries[version].path

    def edit(self, short: str, version: int, change: Callable[[list[Action]], Any]) -> None:
        """Change the actions of a commit, checksums and all, so that only its sense is wrong."""
        path = self.entry(short, version)
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        changed = change(actions)
        actions = actions if changed is None else changed
        path.write_text("".join(json.dumps(action) + "\n" for action in actions))
        unsum(path)

    def edit_account(self, short: str, change: Callable[[dict[str, Any]], Any], version: int = -1) -> None:
        """Change what a commit says of itself."""

        def of_commit(actions: list[Action]) -> None:
            info = next(action["commitInfo"] for action in actions if "commitInfo" in action)
            account = json.loads(info["userMetadata"])
            change(account)
            info["userMetadata"] = json.dumps(account)

        self.edit(short, version, of_commit)

    def rewrite(self, short: str, change: Callable[[list[Row]], Any], place: int = 0) -> None:
        """Change rows in a data file, and the log so that it fits: size, number of rows, no checksums."""
        path = self.file(short, place)
        table = pq.ParquetFile(path).read()
        rows = table.to_pylist()
        changed = change(rows)
        rows = rows if changed is None else changed
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
        unsum(path)
        log = self.log(short)
        for position, entry in enumerate(log.entries.values()):
            (log.place / f"{entry.version:020d}.crc").unlink(missing_ok=True)
            if any(add["path"] == path.name for add in entry.of("add")):
                self.edit(short, position, lambda actions: _refit(actions, path, len(rows)))

    def landed(self, source: str, number: int = 1) -> Path:
        """Return the first file of a delivery."""
        landing = Landing(self.conf, source)
        return landing.folder / landing.manifest(number).files[0].path

    def manifest(self, source: str, number: int) -> Path:
        return Landing(self.conf, source).folder / "manifests" / f"{number:012d}.json"


def unsum(path: Path) -> None:
    """Remove the checksum that Hadoop keeps beside a file."""
    path.with_name(f".{path.name}.crc").unlink(missing_ok=True)


def flip(path: Path, at: int | None = None) -> None:
    """Flip one bit of a file, in its middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1
    path.write_bytes(content)


def copied(conf: Conf, folder: Path, load: Callable[[list[str]], Conf]) -> Copy:
    """Copy a lake below a folder; ``load`` makes conf of overrides."""
    source = Path(conf.root("bronze")).parent
    shutil.copytree(source, folder / "lake", symlinks=True)
    layers = ("landing", "bronze", "silver", "gold", "ops")
    roots = [f"storage.{layer}.root={folder / 'lake' / layer}" for layer in layers]
    return Copy(load([*roots, f"cache.root={folder / 'lake' / 'cache'}"]))


def _refit(actions: list[Action], path: Path, rows: int) -> None:
    for action in actions:
        if action.get("add", {}).get("path") == path.name:
            stats = json.loads(action["add"]["stats"])
            action["add"]["stats"] = json.dumps({**stats, "numRecords": rows})
            action["add"]["size"] = path.stat().st_size
