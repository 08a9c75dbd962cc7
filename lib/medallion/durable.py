"""Files that are still there after a power cut: one is safe only once the folder that names it is on the disk, too."""

import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder with those above it that are missing, each known to the one above it."""
    missing = [folder, *folder.parents]
    missing = missing[: next(place for place, one in enumerate(missing) if one.exists())]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync(one.parent)


def sync(path: Path) -> None:
    """Bring a file's content, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
