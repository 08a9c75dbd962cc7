"""Landing: the bytes of each delivery as received, under a manifest that appears last and is numbered.

``<root>/<pipeline>/<source>/manifests/000000000001.json`` names the delivery's files with their sizes
and sha256. A delivery without its manifest does not exist; numbers follow the order of publication.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from medallion import clock
from medallion.conf import Conf
from medallion.durable import make_folder, sync
from medallion.errors import LandingError
from medallion.faults import point

LONGEST_NAME = 255  # bytes, as file systems take


@dataclass(frozen=True)
class LandedFile:
    """One file of a delivery; ``path`` is relative to the source's landing folder."""

    name: str
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """One delivery; ``sha256`` covers the contents of its files, so that equal deliveries can be told.

    ``cursor`` says how far its intake had come with it, for the next one to go on from.
    """

    number: int
    source: str
    received_at: str
    sha256: str
    files: tuple[LandedFile, ...]
    cursor: Mapping[str, Any] | None = None

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(file.bytes for file in self.files)


class Landing:
    """The landing folder of one source of a pipeline."""

    def __init__(self, conf: Conf, source: str) -> None:
        self.source = source
        self.folder = Path(conf.root("landing"), conf.name, source)

    def deliver(self, files: Iterable[tuple[str, bytes]], cursor: Mapping[str, Any] | None = None) -> Manifest:
        """Publish files as one delivery and return its manifest; nothing is visible before all of it is durable.

        Files are taken one after another, so that only one is in memory; ``cursor`` is read once all are.
        Raises LandingError for a name that is more than a file name, or is there twice.
        """
        inside = self.folder / "files" / uuid.uuid4().hex
        with _gone_if_it_fails(inside):
            landed = self._written(inside, files)
        digest = sha256("".join(file.sha256 for file in landed).encode()).hexdigest()
        received_at = clock.now().isoformat()
        return self._publish(inside, Manifest(0, self.source, received_at, digest, tuple(landed), cursor))

    def newest(self) -> int:
        """Return the number of the newest delivery, 0 where there is none."""
        folder = self.folder / "manifests"
        return max((int(p.stem) for p in folder.glob("*.json")), default=0) if folder.exists() else 0

    def oldest(self) -> int:
        """Return the number of the oldest delivery that is still there, 0 where there is none."""
        folder = self.folder / "manifests"
        return min((int(p.stem) for p in folder.glob("*.json")), default=0) if folder.exists() else 0

    def forget(self, number: int) -> None:
        """Remove a delivery, its manifest last: stopped in between, it is there to be removed again."""
        for file in self.manifest(number).files:
            place = self.folder / file.path
            place.unlink(missing_ok=True)
            with suppress(OSError):  # another file of the delivery is still in it
                place.parent.rmdir()
        point("maintain.delivery_removed")
        self._manifest_path(number).unlink()
        sync(self.folder / "manifests")

    def after(self, number: int) -> list[Manifest]:
        """Return the deliveries published after a number, in order."""
        return [self.manifest(n) for n in range(number + 1, self.newest() + 1)]

    def manifest(self, number: int) -> Manifest:
        """Read one manifest; raises LandingError where it is gone or unreadable."""
        path = self._manifest_path(number)
        try:
            found = json.loads(path.read_text())
            files = tuple(LandedFile(**file) for file in found.pop("files"))
            return Manifest(files=files, **found)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LandingError(f"{path}: found no readable manifest ({error}); wanted delivery {number}") from None

    def contents(self, manifest: Manifest) -> Iterator[tuple[LandedFile, bytes]]:
        """Yield the delivery's files; raises LandingError where a file differs from what was received."""
        for file in manifest.files:
            try:
                content = (self.folder / file.path).read_bytes()
            except OSError as error:
                raise LandingError(f"{file.path} of delivery {manifest.number}: {error.strerror}") from None
            if sha256(content).hexdigest() != file.sha256:
                raise LandingError(
                    f"{self.source}/{file.path}: its bytes differ from manifest {manifest.number}; "
                    "wanted the file as received: restore it, or deliver it anew"
                )
            yield file, content

    def _written(self, folder: Path, files: Iterable[tuple[str, bytes]]) -> list[LandedFile]:
        make_folder(folder)
        landed = [self._write(folder, name, content) for name, content in files]
        sync(folder)
        sync(folder.parent)
        point("landing.files_durable")
        return landed

    def _write(self, folder: Path, name: str, content: bytes) -> LandedFile:
        is_text = not any("\ud800" <= character <= "\udfff" for character in name)  # bronze names it in text
        is_plain = name == os.path.basename(name) and name not in {"", ".", ".."} and "\0" not in name
        if not is_text or not is_plain or len(name.encode()) > LONGEST_NAME:
            raise LandingError(
                f"{self.source}: found file name {name[:80]!r}; wanted a plain name without folders, of at most "
                f"{LONGEST_NAME} bytes"
            )
        path = folder / name
        if path.exists():
            raise LandingError(f"{self.source}: found file name {name!r} twice in one delivery")
        with path.open("xb") as handle:
            handle.write(content)
            point("landing.file_written")
            handle.flush()
            os.fsync(handle.fileno())
        inside = str(path.relative_to(self.folder))
        return LandedFile(name, inside, len(content), sha256(content).hexdigest())

    def _publish(self, files: Path, unnumbered: Manifest) -> Manifest:
        """Give the delivery the next free number; linking fails where another publisher was faster."""
        folder = self.folder / "manifests"
        draft = folder / f".{files.name}"  # not beside the files, which may have any name
        number = self.newest()
        while True:
            number += 1
            manifest = replace(unnumbered, number=number)
            with _gone_if_it_fails(files, draft):
                make_folder(folder)
                with draft.open("w") as handle:
                    json.dump(asdict(manifest), handle)
                    handle.flush()
                    os.fsync(handle.fileno())
            point("landing.before_link")
            try:
                os.link(draft, self._manifest_path(number))
            except FileExistsError:
                continue
            point("landing.after_link")
            draft.unlink()
            sync(folder)
            point("landing.published")
            return manifest

    def _manifest_path(self, number: int) -> Path:
        return self.folder / "manifests" / f"{number:012d}.json"


@contextmanager
def _gone_if_it_fails(*places: Path) -> Iterator[None]:
    """Remove what a delivery wrote where it fails before its link, or each try would fill a full disk further."""
    try:
        yield
    except BaseException:
        for place in places:
            with suppress(OSError):
                shutil.rmtree(place) if place.is_dir() else place.unlink()
        raise


def batches(manifests: Sequence[Manifest], most_bytes: int) -> Iterator[list[Manifest]]:
    """Gather deliveries, in order, into batches of at most so many bytes; a larger delivery goes alone."""
    batch: list[Manifest] = []
    for manifest in manifests:
        if batch and sum(m.bytes for m in batch) + manifest.bytes > most_bytes:
            yield batch
            batch = []
        batch.append(manifest)
    if batch:
        yield batch
