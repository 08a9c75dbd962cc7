"""Files of a folder, or at one http address: what was not seen with that content under that name is taken.

Events come many files a delivery; of a snapshot each file is an extract, and a delivery, of its own.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from medallion import clock
from medallion.errors import IntakeError
from medallion.intake import Asked, Taken
from medallion.intake_conf import FilesIntake
from medallion.output import counted, size

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


def _take_folder(asked: Asked, intake: FilesIntake, folder: Path) -> Taken:
    taken = Taken()
    before: Mapping[str, Any] = asked.cursor.get("files", {})
    listed = _listed(folder, intake.glob)
    seen = {name: before[name] for _, name in listed if name in before}  # those that are gone are forgotten
    latest = asked.cursor.get("latest")
    waiting: list[tuple[str, bytes]] = []
    for path, name in listed:
        stamp = _stamp(path)
        if seen.get(name, [None, None])[:2] == stamp:
            continue
        content = _settled(path, intake, stamp)
        if content is None:
            taken.notes.append(f"{name} is still being written")
            continue
        digest = sha256(content).hexdigest()[:32]
        known = [entry[2] for entry in seen.values()]
        is_known = (
            digest in known
            if asked.source.delivers == "events"
            else digest == (seen[name][2] if name in seen else latest)
        )
        seen[name] = [*stamp, digest]
        if is_known:
            continue
        waiting.append((name.replace("/", "__"), content))
        latest = digest
        if asked.source.delivers == "snapshot" or sum(len(c) for _, c in waiting) >= _MOST_BYTES:
            _publish(asked, taken, waiting, {"files": dict(seen), "latest": latest})
            waiting = []
    if waiting:
        _publish(asked, taken, waiting, {"files": dict(seen), "latest": latest})
    return taken


def _publish(asked: Asked, taken: Taken, waiting: list[tuple[str, bytes]], cursor: Mapping[str, Any]) -> None:
    manifest = asked.landing.deliver(waiting, cursor)
    taken.manifests.append(manifest)
    asked.say(f"{asked.name}: {counted(len(waiting), 'files')}, {size(manifest.bytes)}")


def _listed(folder: Path, glob: str) -> list[tuple[Path, str]]:
    """Return files and their names below a folder, the oldest first; hidden and unfinished ones are left out."""
    found = [(path, str(path.relative_to(folder))) for path in folder.glob(glob) if path.is_file()]
    kept = [(path, name) for path, name in found if not _is_unfinished(path.name)]
    return sorted(kept, key=lambda one: (one[0].stat().st_mtime_ns, one[1]))


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
    with client(asked) as http:
        answer = fetched(http, asked, url, headers=asked_for)
    taken = Taken()
    if answer.status_code == 304:
        return taken
    digest = sha256(answer.content).hexdigest()[:32]
    if digest == asked.cursor.get("latest"):
        return taken
    name = Path(urlparse(url).path).name or "content"
    _publish(asked, taken, [(name, answer.content)], {"latest": digest, "etag": answer.headers.get("etag")})
    return taken
