"""The archive that `make dist` builds for ``spark-submit --py-files``: engine, jobs and conf in one zip.

Beside a checkout only the engine is taken from it, and only if it was built from this very checkout. Where
there is none, as on a driver that the cluster starts, jobs and conf come from it too.
"""

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile
from zipimport import zipimporter

from medallion.errors import ConfError, some

MANIFEST = "archive.json"


class Part(NamedTuple):
    """A folder of the archive: where it is in a checkout, and what is taken from there."""

    name: str
    folder: str
    endings: tuple[str, ...]


_ENGINE = Part("medallion", "lib/medallion", (".py",))
_JOBS = Part("jobs", "jobs", (".py", ".sql"))
_CONF = Part("conf", "conf", (".yaml", ".properties"))
CODE = (_ENGINE, _JOBS)
PARTS = (*CODE, _CONF)


@dataclass(frozen=True)
class Archive:
    """An archive, and what its manifest says: the version, and the digest of the code it was built from."""

    path: Path
    version: str
    digest: str

    def contents(self) -> dict[str, bytes]:
        """Return its files by their names, but for the manifest."""
        with ZipFile(self.path) as opened:
            names = [name for name in opened.namelist() if not name.endswith("/") and name != MANIFEST]
            return {name: opened.read(name) for name in names}


def own() -> Archive | None:
    """Return the archive that this very engine was imported from, None where it came from a folder."""
    loader = __spec__.loader if __spec__ else None
    return read(Path(loader.archive)) if isinstance(loader, zipimporter) else None


def read(path: Path) -> Archive:
    """Return an archive by its path; raise ConfError where it holds no manifest of ours."""
    try:
        with ZipFile(path) as opened:
            manifest = json.loads(opened.read(MANIFEST))
        return Archive(path, manifest["version"], manifest["digest"])
    except (KeyError, ValueError):
        raise ConfError(f"{path}: found no {MANIFEST}; wanted the archive that `make dist` builds") from None


def require_same_code(project: Path) -> None:
    """Raise ConfError where the engine comes from an archive that was built from other code than the project's."""
    archive = own()
    if archive is None:
        return
    parts = [part for part in CODE if (project / part.folder).is_dir()]
    wanted = dict(_sources(project, parts))
    names = {part.name for part in parts}
    found = {name: held for name, held in archive.contents().items() if name.split("/")[0] in names}
    differing = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    if differing:
        raise ConfError(
            f"{archive.path.name}: found version {archive.version} of other code (digest {archive.digest[:12]}): "
            f"{some(differing)}; wanted an archive of {project}: `make dist` builds it"
        )


@cache
def unpacked() -> Path | None:
    """Return a folder with the jobs and conf of the archive we run from, None where we do not.

    It lasts as long as the process.
    """
    archive = own()
    if archive is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="medallion-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with ZipFile(archive.path) as opened:
        opened.extractall(folder, [name for name in opened.namelist() if name.split("/")[0] != _ENGINE.name])
    return folder


def sources(project: Path) -> dict[str, bytes]:
    """Return what an archive of a project holds: files by their names in it."""
    return dict(_sources(project, PARTS))


def digest(contents: Mapping[str, bytes]) -> str:
    """Return what identifies the code among an archive's files; a checkout beside it has its own conf."""
    code = {part.name for part in CODE}
    total = hashlib.sha256()
    for name, content in sorted(contents.items()):
        if name.split("/")[0] in code:
            total.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def _sources(project: Path, parts: Sequence[Part]) -> Iterator[tuple[str, bytes]]:
    for part in parts:
        folder = project / part.folder
        for file in sorted(folder.rglob("*")):
            if file.suffix in part.endings and file.is_file():
                yield f"{part.name}/{file.relative_to(folder).as_posix()}", file.read_bytes()
