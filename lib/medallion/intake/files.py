"""Files of a folder, or at one http address: what was not seen with that content under that name is taken.

Events come many files a delivery; of a snapshot each file is an extract, and a delivery, of its own.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlparse

from medallion import clock
from medallion.conf import Source
from medallion.conf.intake import FilesIntake
from medallion.errors import IntakeError
from medallion.faults import point
from medallion.intake.asked import Asked, Taken
from medallion.landing import LONGEST_NAME
from medallion.output import counted, in_a_line, size

_LONGEST_ENDING = 40  # bytes of a file's name
_MOST_BYTES = 256 * 1024 * 1024  # of a delivery
# Names under which files are written until they are whole.
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", "~")


def take(asked: Asked, intake: FilesIntake) -> Taken:
    """Publish files that are new; raises IntakeError where there is no such folder or address."""
    url = asked.connection.url or ""
    if urlparse(url).scheme in ("http", "https"):
        return _take_address(asked, url)
    folder = asked.project / url.removeprefix("file://")
    if not url or not folder.is_dir():
        raise IntakeError(
            f"{asked.name}: found no folder {folder}; wanted one with files: connections.{asked.name}.url"
        )
    return _take_folder(asked, intake, folder)


class _Seen:
    """What was taken so far: of each file that is still there size, time and content, and the latest content of all."""

    def __init__(self, cursor: Mapping[str, Any], names: Collection[str]) -> None:
        known: Mapping[str, Any] = cursor.get("files", {})
        self._files = {name: known[name] for name in names if name in known}  # those that are gone are forgotten
        self._digests = {digest for _, _, digest in self._files.values()}
        self._latest = cursor.get("latest")

    def is_untouched(self, name: str, stamp: list[int]) -> bool:
        """Tell whether a file has been left alone since it was seen."""
        return name in self._files and self._files[name][:2] == stamp

    def is_news(self, name: str, stamp: list[int], content: bytes, source: Source) -> bool:
        """Take note of a file, and tell whether its content is news: of events, under any name; of an extract, under
        its own, and else against the latest.
        """
        digest = sha256(content).hexdigest()[:32]
        if source.delivers == "events":
            is_news = digest not in self._digests
        elif name in self._files:
            is_news = digest != self._files[name][2]
        else:
            is_news = source.extract == "file" or digest != self._latest
        self._files[name] = [*stamp, digest]
        self._digests.add(digest)
        self._latest = digest if is_news else self._latest
        return is_news

    def cursor(self) -> dict[str, Any]:
        """Return what the next intake goes on from."""
        return {"files": dict(self._files), "latest": self._latest}


def _take_folder(asked: Asked, intake: FilesIntake, folder: Path) -> Taken:
    taken = Taken()
    listed, elsewhere = _listed(folder, intake.glob)
    taken.notes += [f"{in_a_line(name)} leads out of its folder and is left" for name in elsewhere]
    seen = _Seen(asked.cursor, [name for _, name in listed])
    waiting: list[tuple[str, bytes]] = []
    for path, name in listed:
        stamp = _stamp(path)
        if seen.is_untouched(name, stamp):
            continue
        content = _settled(path, intake, stamp)
        if content is None:
            taken.notes.append(f"{in_a_line(name)} is still being written")
        elif seen.is_news(name, stamp, content, asked.source):
            waiting.append((_landed_as(name, {other for other, _ in waiting}), content))
            if asked.source.delivers == "snapshot" or sum(len(content) for _, content in waiting) >= _MOST_BYTES:
                _publish(asked, taken, waiting, seen.cursor())
                waiting = []
    if waiting:
        _publish(asked, taken, waiting, seen.cursor())
    return taken


def _publish(asked: Asked, taken: Taken, waiting: list[tuple[str, bytes]], cursor: Mapping[str, Any]) -> None:
    point("intake.before_files")
    manifest = asked.landing.deliver(waiting, cursor)
    point("intake.after_files")
    taken.manifests.append(manifest)
    asked.say(f"{asked.name}: {counted(len(waiting), 'files')}, {size(manifest.bytes)}")


def _listed(folder: Path, glob: str) -> tuple[list[tuple[Path, str]], list[str]]:
    """Return files and their names below a folder, the oldest first, and the names of links that lead out of it.

    Hidden and unfinished ones are left out. Who may write to the folder must not have other files be read.
    """
    found = [(path, str(path.relative_to(folder))) for path in folder.glob(glob) if path.is_file()]
    kept = [(path, name) for path, name in found if not _is_unfinished(path.name)]
    root = folder.resolve()
    elsewhere = [name for path, name in kept if not path.resolve().is_relative_to(root)]
    inside = [(path, name) for path, name in kept if name not in elsewhere]
    return sorted(inside, key=lambda one: (one[0].stat().st_mtime_ns, one[1])), sorted(elsewhere)


def _landed_as(name: str, taken: Collection[str]) -> str:
    """Return the name a file has in landing: its own, with its folders; where that cannot be, a digest's."""
    text = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
    plain = text.replace("/", "__")
    if plain not in taken and len(plain.encode()) <= LONGEST_NAME:
        return plain
    ending = "".join(PurePath(plain).suffixes[-2:])
    return sha256(text.encode()).hexdigest()[:32] + (ending if len(ending.encode()) <= _LONGEST_ENDING else "")


def _is_unfinished(name: str) -> bool:
    return name.startswith((".", "_")) or name.lower().endswith(_UNFINISHED)


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _settled(path: Path, intake: FilesIntake, stamp: list[int]) -> bytes | None:
    """Return a file's content; None where it was written to just now, or while it was read."""
    if clock.seconds_since(stamp[1] / 1e9) < intake.settle_seconds:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IntakeError(f"{path}: {error.strerror}") from None
    return content if _stamp(path) == stamp and len(content) == stamp[0] else None


def _take_address(asked: Asked, url: str) -> Taken:
    """Fetch the file at an address unless it is the one that was taken last."""
    from medallion.intake.http import client, fetched

    asked_for = {"If-None-Match": tag} if (tag := asked.cursor.get("etag")) else {}
    with client(asked) as service:
        answer = fetched(service, asked, url, headers=asked_for)
    taken = Taken()
    if answer.status_code == 304:
        return taken
    digest = sha256(answer.content).hexdigest()[:32]
    if digest == asked.cursor.get("latest"):
        return taken
    name = Path(urlparse(url).path).name or "content"
    _publish(asked, taken, [(name, answer.content)], {"latest": digest, "etag": answer.headers.get("etag")})
    return taken
