"""Deliveries that a person makes: a day of a pipeline's sample data, or files of their own."""

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from medallion import lock
from medallion.conf import Conf
from medallion.errors import ConfError, some
from medallion.landing import Landing
from medallion.output import counted, size

if TYPE_CHECKING:
    from rich.console import Console


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


def sample(conf: Conf, day: int, options: Mapping[str, int]) -> Landed:
    """Deliver a day of the pipeline's sample; options go to its ``deliveries``.

    Raises ConfError where the pipeline has no sample, or it cannot make what the options ask for.
    """
    lock.refuse_shared_storage(conf)
    module = _sample_of(conf)
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
    names = [path.name for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfError(f"command line: found {some(twice)} twice; wanted each file name once in a delivery")
    total = sum(path.stat().st_size for path in files)
    delivered = _deliver(conf, source, _contents(files), total)
    return Landed(conf.name, conf.platform.runtime.dry_run, [delivered])


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
