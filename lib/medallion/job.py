"""What spark-submit runs: one table, by its module; or a pipeline, a layer or a table of it, by jobs/pipeline.py."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from medallion import alerts, archive, causes, conf, graph, ops, output, run
from medallion.conf.platform import LAYERS
from medallion.errors import ConfError, LakehouseError, StorageError
from medallion.session import Sessions
from medallion.step import Run

FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # exit codes, as those of the command line


def main(file: str) -> None:
    """Refresh the table of a job module; command line arguments are conf overrides. Exits 0, 1, 2 or 130."""
    sys.exit(_guarded(lambda: _refresh_module(Path(file).resolve(), sys.argv[1:])))


def pipeline(file: str, arguments: Sequence[str], about: str) -> int:
    """Refresh what the arguments name, and return the exit code; ``file`` is the script that was submitted."""
    usage = "pipeline.py PIPELINE [LAYER | --table LAYER.TABLE] [KEY=VALUE ...]"
    parser = argparse.ArgumentParser(usage=usage, description=about, allow_abbrev=False)
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--table", metavar="LAYER.TABLE", help="only this table; LAYER: only this layer")
    given = parser.parse_intermixed_args(arguments)
    names = [word for word in given.words if "=" not in word]
    if not 1 <= len(names) <= (1 if given.table else 2):
        parser.error(f"found {' '.join(names) or 'no name'}; wanted a pipeline, and perhaps a layer or --table")
    overrides = [word for word in given.words if "=" in word]
    layer = names[1] if len(names) > 1 else None
    return _guarded(
        lambda: _refresh(names[0], overrides, project=conf.find_project(Path(file)), layer=layer, table=given.table)
    )


def maintain(file: str, arguments: Sequence[str], about: str) -> int:
    """Maintain what the arguments name, and return the exit code; ``file`` is the script that was submitted."""
    usage = "maintain.py PIPELINE|TABLE [--dry-run] [KEY=VALUE ...]"
    parser = argparse.ArgumentParser(usage=usage, description=about, allow_abbrev=False)
    parser.add_argument("words", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    given = parser.parse_intermixed_args(arguments)
    names = [word for word in given.words if "=" not in word]
    if len(names) != 1:
        parser.error(f"found {' '.join(names) or 'no name'}; wanted one pipeline, or one table by its full name")
    overrides = [word for word in given.words if "=" in word]
    return _guarded(
        lambda: _maintain(names[0], overrides, project=conf.find_project(Path(file)), dry_run=given.dry_run)
    )


def _maintain(name: str, overrides: Sequence[str], *, project: Path, dry_run: bool) -> int:
    from medallion import work

    archive.require_same_code(project)
    pipeline, _, table = name.partition(".")
    loaded = conf.load(pipeline, overrides, project)
    _require_lasting(loaded)
    dry_run = dry_run or loaded.platform.runtime.dry_run
    return work.maintain(loaded, name if table else None, dry_run=dry_run, json=False, eager=True)


def _refresh_module(path: Path, overrides: Sequence[str]) -> int:
    """Refresh the table of a module, which tells by its place which one it is."""
    parts = path.parts
    if parts[-4:-3] != ("jobs",) or not (path.parents[3] / "conf" / "platform").is_dir():
        raise ConfError(
            f"{path}: found outside of a project's jobs/<pipeline>/<layer>; wanted, where there is no checkout, "
            f"`pipeline.py <pipeline> --table <layer>.{path.stem}`"
        )
    return _refresh(parts[-3], overrides, project=path.parents[3], table=f"{parts[-2]}.{path.stem}")


def _refresh(
    pipeline: str, overrides: Sequence[str], *, project: Path, layer: str | None = None, table: str | None = None
) -> int:
    """Run tables of a pipeline in the Spark that was submitted to, and return the exit code."""
    archive.require_same_code(project)
    loaded = conf.load(pipeline, overrides, project)
    _require_lasting(loaded)
    prepared = run.prepare(loaded)
    names = graph.select(prepared.tables, layer=layer, table=table)
    if loaded.platform.runtime.dry_run:
        return _plan(prepared, names)
    sessions = Sessions(loaded)
    try:
        with alerts.watching(loaded, prepared.run_id):
            sessions.start()  # even with nothing to do: YARN counts a driver without Spark as failed
            report = run.run_tables(prepared, sessions, names)
    finally:
        sessions.stop()
    said = f"run {report.run_id} passed in {report.seconds:.1f} s"
    try:
        ops.record(prepared, report)
    except StorageError as error:
        alerts.ended(loaded, report.passed, said, str(error))
        raise
    alerts.ended(loaded, report.passed, said)
    return 0 if report.passed else FAILED


def _plan(prepared: Run, names: Sequence[str]) -> int:
    from medallion.views import plan

    found = plan.of(prepared, names)
    output.tell(found.facts(), found.render, json=False)
    return 0


def _require_lasting(loaded: conf.Conf) -> None:
    """Raise ConfError where tables would be written into the unpacked archive, and go with it."""
    if loaded.project != archive.unpacked():
        return
    for layer in LAYERS:
        root = Path(loaded.root(layer))
        if root.is_relative_to(loaded.project):
            raise ConfError(
                f"conf/platform/{loaded.environment}.yaml: storage.{layer}.root: found "
                f"{root.relative_to(loaded.project)}, a folder of the project; wanted an absolute one, since there is "
                "no checkout here"
            )


def _guarded(work: Callable[[], int]) -> int:
    """Do the work and return its exit code; what a person can act on is told in one message."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        return work()
    except ConfError as error:
        sys.stderr.write(output.printable(f"{error}\n"))
        return MISUSED
    except LakehouseError as error:
        sys.stderr.write(output.printable(f"{error}\n"))
        return FAILED
    except causes.of_the_world() as error:
        sys.stderr.write(f"{causes.told(error)}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("stopped; whatever was committed stays, the next run takes up the rest\n")
        return INTERRUPTED
