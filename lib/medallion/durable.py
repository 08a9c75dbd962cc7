"""Folders that are still there after a power cut: a file is safe only once the folder that names it is on the disk."""

import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder with those above it that are missing, each known to the one above it."""
    missing = [folder, *folder.parents]
    missing = missing[: next(place for place, one in enumerate(missing) if one.exists())]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Bring what a folder names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
