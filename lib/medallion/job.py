"""What spark-submit runs: one table, by its module; or a pipeline or a layer of it, by jobs/pipeline.py."""

import logging
import sys
from pathlib import Path

from medallion import conf, graph, run
from medallion.errors import ConfError, LakehouseError
from medallion.session import Sessions


def main(file: str) -> None:
    """Refresh the table of a job module; command line arguments are conf overrides. Exits 0, 1 or 2."""
    path = Path(file).resolve()
    pipeline, layer, table = path.parts[-3], path.parts[-2], path.stem
    sys.exit(submit(pipeline, sys.argv[1:], project=path.parents[3], table=f"{layer}.{table}"))


def submit(
    pipeline: str, overrides: list[str], *, project: Path, layer: str | None = None, table: str | None = None
) -> int:
    """Run tables of a pipeline in the Spark that was submitted to, and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        loaded = conf.load(pipeline, overrides, project)
        running = run.prepare(loaded)
        names = graph.select(running.tables, layer=layer, table=table)
        report = run.run_tables(running, Sessions(loaded), names)
    except ConfError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except LakehouseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0 if report.passed else 1
