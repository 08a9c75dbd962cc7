"""Packed files: gzip, and zip of one file, are unpacked as they are read; landing keeps them as received."""

import gzip
import io
import zipfile
import zlib
from lzma import LZMAError
from struct import error as StructError
from typing import IO, cast

MOST_BYTES = 2 * 1024**3  # unpacked; what is more belongs in parts
# A small file that unpacks to much is a bomb: records are seldom packed to less than a twentieth.
MOST_TIMES = 250
ALWAYS_BYTES = 64 * 1024**2
_DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, ValueError, LZMAError, StructError)


class PackedError(Exception):
    """A file that cannot be unpacked; its message says why."""


def unpacked(content: bytes, name: str, most_bytes: int = MOST_BYTES) -> tuple[bytes, str]:
    """Return a file's content and name without its packing; raises PackedError for one that is damaged or too large."""
    lower = name.lower()
    most_bytes = min(most_bytes, max(ALWAYS_BYTES, MOST_TIMES * len(content)))
    try:
        if lower.endswith(".gz"):
            return _limited(cast(IO[bytes], gzip.GzipFile(fileobj=io.BytesIO(content))), most_bytes), name[:-3]
        if lower.endswith(".zip"):
            return _only_member(content, most_bytes)
    except _DAMAGED as error:  # RuntimeError: a password, or a method that is not known; ValueError: places, names
        raise PackedError(f"cannot be unpacked: {error}") from None
    return content, name


def _only_member(content: bytes, most_bytes: int) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise PackedError(f"cannot be unpacked: holds {len(members)} files, wanted one")
        with archive.open(members[0]) as member:
            return _limited(member, most_bytes), members[0].filename.rsplit("/", 1)[-1]


def _limited(stream: IO[bytes], most_bytes: int) -> bytes:
    content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise PackedError(f"cannot be unpacked: more than {most_bytes} bytes")
    return content
