"""Disks that are full or may not be written; where this machine does not allow that, tests skip and say why."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PAGE = 4096


@contextmanager
def small(folder: Path, size: int) -> Iterator[Path]:
    """Have a file system of its own, of so many bytes, at a folder; skips where none can be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _unmount(folder)


@contextmanager
def readonly(folder: Path) -> Iterator[None]:
    """Have a folder that may be read but not written, for root neither; skips where it cannot be had."""
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,ro,bind", str(folder))
        yield
    finally:
        _unmount(folder)


@contextmanager
def filled(disk: Path, free: int) -> Iterator[None]:
    """Leave so many bytes of a disk free, by a ballast that takes the others."""
    room = os.statvfs(disk)
    taken = room.f_bavail * room.f_bsize - free
    ballast = disk / "ballast"
    with ballast.open("wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, max(taken // _PAGE * _PAGE, 1))
    try:
        yield
    finally:
        ballast.unlink()


def used(disk: Path) -> int:
    """Return how many bytes of a disk are taken."""
    room = os.statvfs(disk)
    return (room.f_blocks - room.f_bfree) * room.f_bsize


def _mount(*arguments: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("a disk of its own needs root to be mounted")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk of its own cannot be mounted here: {done.stderr.strip()}")


def _unmount(folder: Path) -> None:
    done = subprocess.run(["umount", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:  # something has a file open still
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
