"""Deliveries that a person makes: a day of a pipeline's sample data, or files of their own."""

import importlib
import inspect
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from medallion import lock
from medallion.conf import Conf, Source
from medallion.errors import ConfError, some
from medallion.landing import Landing
from medallion.output import counted, size

if TYPE_CHECKING:
    from rich.console import Console

# Endings of files by the format of their source; what a record is in each: records.
_ENDINGS = {"json": (".json", ".jsonl", ".ndjson"), "csv": (".csv",), "parquet": (".parquet",)}


@dataclass(frozen=True)
class Delivered:
    """One delivery; ``number`` is its number in landing, None if it was only to be looked at."""

    source: str
    number: int | None
    files: int
    bytes: int


@dataclass(frozen=True)
class Landed:
    """What was delivered to a pipeline's landing."""

    pipeline: str
    dry_run: bool
    deliveries: list[Delivered]

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)

    def render(self, out: "Console") -> None:
        """Print a line a delivery."""
        for one in self.deliveries:
            number = "not delivered" if one.number is None else f"delivery {one.number}"
            out.print(f"{one.source:24} {number:14} {counted(one.files, 'files'):>13}  {size(one.bytes):>9}")
        closing = "nothing was written" if self.dry_run else f"`medallion run {self.pipeline}` takes them in"
        out.print(f"\n{closing}", style="dim")


@dataclass(frozen=True)
class Drop:
    """Files of one's own that are delivered together: those of one folder, by the source they are of."""

    folder: Path
    files: Mapping[str, Sequence[Path]]


def sample(conf: Conf, day: int, options: Mapping[str, int]) -> Landed:
    """Deliver a day of the pipeline's sample; options go to its ``deliveries``.

    Raises ConfError where the pipeline has no sample, or it cannot make what the options ask for.
    """
    lock.refuse_shared_storage(conf)
    module = _sample_of(conf)
    takes = [name for name in inspect.signature(module.deliveries).parameters if name != "day"]
    strange = [name for name in options if name not in takes]
    if strange:
        raise ConfError(f"sample of {conf.name}: found {some(strange)}; wanted one of {', '.join(takes)}")
    try:
        found = [
            _deliver(conf, delivery.source, delivery.files, sum(len(content) for _, content in delivery.files))
            for delivery in module.deliveries(day, **options)
        ]
    except ValueError as error:
        raise ConfError(f"sample of {conf.name}: {error}") from None
    return Landed(conf.name, conf.platform.runtime.dry_run, found)


def land(conf: Conf, source: str, paths: Sequence[str]) -> Landed:
    """Deliver files as one delivery; raises ConfError, with nothing delivered, for one that cannot be."""
    lock.refuse_shared_storage(conf)
    conf.source(source)
    files = [Path(path) for path in paths]
    if not files:
        raise ConfError("command line: no file; wanted at least one")
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise ConfError(f"command line: no such file: {some(missing)}")
    _require_names_once("command line", files)
    return _landed(conf, {source: files})


def land_folder(conf: Conf, drop: Drop) -> Landed:
    """Deliver the files of a folder, one delivery a source; see `sort_folder`."""
    lock.refuse_shared_storage(conf)
    return _landed(conf, drop.files)


def sort_folder(conf: Conf, folder: Path) -> list[Drop]:
    """Return what lies in a folder as the pipeline's sources would deliver it, oldest first; it is only looked at.

    The folder's own files come first, then those of each sub-folder that is not named for a source, in the
    order of their names (day-2 before day-10). A file is of the source whose folder it lies in, or with
    whose name its own begins; hidden ones are passed over. Raises ConfError where one is neither, or none is there.
    """
    if not folder.is_dir():
        raise ConfError(f"{folder}: no such folder; {_wanted(conf)}")
    groups = [path for path in _listed(folder) if path.is_dir() and path.name not in conf.pipeline.sources]
    drops: list[Drop] = []
    unclear: list[Path] = []
    for place in (folder, *groups):
        files: dict[str, list[Path]] = defaultdict(list)
        for path in _in_reach(conf, place):
            if path not in groups:
                source = _source_of(conf, place, path)
                (files[source] if source else unclear).append(path)
        for found in files.values():
            _require_names_once(str(place), found)
        if files:
            drops.append(Drop(place, dict(files)))
    if unclear:
        told = some(path.relative_to(folder) for path in unclear)
        raise ConfError(f"{folder}: cannot tell which source delivers {told}; {_wanted(conf)}")
    if not drops:
        raise ConfError(f"{folder}: found no file; {_wanted(conf)}")
    return drops


def _in_reach(conf: Conf, place: Path) -> Iterator[Path]:
    """Yield what lies in a folder, and in those within it that are named for a source."""
    for path in _listed(place):
        if path.is_dir() and path.name in conf.pipeline.sources:
            yield from _listed(path)
        else:
            yield path


def _source_of(conf: Conf, place: Path, path: Path) -> str | None:
    """Return the source that a file is of, by its folder, else by its name; None where its ending does not fit."""
    begins = [name for name in conf.pipeline.sources if re.match(rf"{name}(?![A-Za-z])", path.name)]
    named = path.parent.name if path.parent != place else max(begins, key=len, default="")
    source = conf.pipeline.sources.get(named)
    fits = source is not None and path.is_file() and _fits(path.name, source)
    return named if fits else None


def _fits(name: str, source: Source) -> bool:
    """Tell whether a file may be of a source by its name; what a zip holds is only told when it is read."""
    return name.endswith(".zip") or name.removesuffix(".gz").endswith(_ENDINGS[source.format])


def _wanted(conf: Conf) -> str:
    """Say which files a folder may hold."""
    sources = conf.pipeline.sources.items()
    told = "\n".join(f"  {name:24} {' or '.join(_ENDINGS[source.format])}" for name, source in sources)
    return (
        "wanted, for each source, files in a folder of its name, or with names that begin with it; several "
        f"deliveries in sub-folders, such as 2026-01-31:\n{told}"
    )


def _listed(folder: Path) -> list[Path]:
    """Return what lies in a folder, hidden ones left out; numbers in names are in the order of numbers."""
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise ConfError(f"{folder}: {error.strerror}") from None
    return sorted(found, key=lambda path: [int(w) if w.isdecimal() else w for w in re.split(r"(\d+)", path.name)])


def _require_names_once(where: str, files: Sequence[Path]) -> None:
    twice = [name for name, count in Counter(path.name for path in files).items() if count > 1]
    if twice:
        raise ConfError(f"{where}: found {some(sorted(twice))} twice; wanted each file name once in a delivery")


def _landed(conf: Conf, files: Mapping[str, Sequence[Path]]) -> Landed:
    """Deliver files, one delivery a source."""
    found = [
        _deliver(conf, source, _contents(paths), sum(path.stat().st_size for path in paths))
        for source, paths in files.items()
    ]
    return Landed(conf.name, conf.platform.runtime.dry_run, found)


def _deliver(conf: Conf, source: str, files: Iterable[tuple[str, bytes]], total: int) -> Delivered:
    if conf.platform.runtime.dry_run:
        return Delivered(source, None, sum(1 for _ in files), total)
    manifest = Landing(conf, source).deliver(files)
    return Delivered(source, manifest.number, len(manifest.files), manifest.bytes)


def _contents(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents one after another, so that only one file is in memory."""
    for path in files:
        try:
            yield path.name, path.read_bytes()
        except OSError as error:
            raise ConfError(f"{path}: {error.strerror}") from None


def _sample_of(conf: Conf) -> ModuleType:
    name = f"jobs.{conf.name}.sample"
    if str(conf.project) not in sys.path:
        sys.path.insert(0, str(conf.project))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise ConfError(
            f"pipeline {conf.name}: no jobs/{conf.name}/sample; `medallion land` delivers files of your own"
        ) from None
