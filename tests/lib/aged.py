"""A lake as if all of it had been made days ago: logs, manifests and files of a copy are dated back."""

import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_DAY = 24 * 60 * 60
_SPREAD = 1000  # what was done within a minute lies most of a day apart
_DATES = ("timestamp", "inCommitTimestamp", "deletionTimestamp", "modificationTime", "createdTime")


def copied(lake: Any, folder: Path, days: int = 0) -> Any:
    """Return a copy of a lake in another folder, all of it so many days older and further apart.

    In another folder, since Spark has not seen those logs yet; with no days it is as it was.
    """
    root = Path(lake.conf.root("bronze")).parent
    place = folder / root.name
    shutil.copytree(root, place, symlinks=True)
    if days:
        _date_back(place, days)
    overrides = [f"storage.{layer}.root={place / layer}" for layer in ("landing", "bronze", "silver", "gold", "ops")]
    return lake.with_overrides(*overrides, f"cache.root={place / 'cache'}")


def _date_back(place: Path, days: int) -> None:
    now = time.time()

    def dated(at: float) -> float:
        return at - days * _DAY - (now - at) * _SPREAD if at > now - _DAY else at - days * _DAY

    for path in place.rglob("*"):
        if path.is_file():
            at = path.stat().st_mtime
            os.utime(path, (dated(at), dated(at)))
    for entry in place.rglob("_delta_log/[0-9]*.json"):
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        for action in actions:
            for told in action.values():
                told.update({date: int(dated(told[date] / 1000) * 1000) for date in _DATES if told.get(date)})
        entry.write_text("".join(json.dumps(action) + "\n" for action in actions))
    for other in place.rglob("_delta_log/*"):  # checksums of the bytes that were there; of checkpoints commits tell
        if other.suffix == ".crc" or "checkpoint" in other.name:
            other.unlink()
    for manifest in place.rglob("manifests/*.json"):
        told = json.loads(manifest.read_text())
        told["received_at"] = datetime.fromtimestamp(
            dated(datetime.fromisoformat(told["received_at"]).timestamp()), UTC
        )
        manifest.write_text(json.dumps(told, default=datetime.isoformat))
