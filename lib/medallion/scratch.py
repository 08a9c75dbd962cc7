"""A copy of a pipeline's tables in which a change can be tried, seen by nobody else."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from medallion import causes, lock
from medallion.conf import Conf
from medallion.conf.openlineage import OpenLineage
from medallion.errors import StorageError

_LAYERS = ("bronze", "silver", "gold")
_LOG = "_delta_log"


@contextmanager
def copied(conf: Conf, run_id: str) -> Iterator[Conf]:
    """Give the conf of a copy of all tables of a pipeline, which goes in the end; no run begins meanwhile.

    Logs are copied, data files, which nobody ever changes, linked. Raises LockedError where a run is at work,
    StorageError where the copy cannot be made.
    """
    folder = Path(conf.root("ops"), "tries", conf.name)
    with lock.running(conf, run_id):
        shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
        try:
            for layer in _LAYERS:
                _copy(Path(conf.root(layer), conf.name), folder / layer / conf.name)
            yield _at(conf, folder)
        except OSError as error:
            raise StorageError(f"{folder}: tables cannot be copied for a try: {causes.told(error)}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a tree of tables: the files of logs, and links to all others."""
    for place, folders, files in os.walk(source):
        here = target / Path(place).relative_to(source)
        here.mkdir(parents=True, exist_ok=True)
        if _LOG in folders:
            folders.remove(_LOG)
            shutil.copytree(Path(place, _LOG), here / _LOG)
        for name in files:
            (here / name).symlink_to(Path(place, name))


def _at(conf: Conf, folder: Path) -> Conf:
    storage = conf.platform.storage
    moved = {
        layer: getattr(storage, layer).model_copy(update={"root": str(folder / layer)}) for layer in (*_LAYERS, "ops")
    }
    nobody = {"openlineage": OpenLineage()}  # is told of a try
    platform = conf.platform.model_copy(update={"storage": storage.model_copy(update=moved), **nobody})
    return replace(conf, platform=platform)
