"""What refreshes tables, and what would."""

from typing import Annotated

from cyclopts import Parameter

from medallion.commands.app import LOOK, WORK, Json, Layer, Overrides, Pipeline, Table, command
from medallion.conf import Conf, load
from medallion.output import tell


@command(WORK, 1, "run PIPELINE [--layer LAYER | --table TABLE]")
def run(
    pipeline: Pipeline, /, *overrides: Overrides, layer: Layer = None, table: Table = None, json: Json = False
) -> int:
    """Refresh what changed, from landing to gold, and report."""
    conf = load(pipeline, overrides)
    if conf.platform.runtime.dry_run:
        return _plan(conf, layer, table, json=json)
    from medallion import work

    return work.refresh(conf, overrides, layer=layer, table=table, json=json)


@command(WORK, 2, "replay PIPELINE [--table TABLE]")
def replay(
    pipeline: Pipeline,
    /,
    *overrides: Overrides,
    table: Annotated[str | None, Parameter(help="Only this silver table, and what depends on it.")] = None,
    json: Json = False,
) -> int:
    """Judge again what is in quarantine or waits, after a fix, and refresh what depends on it."""
    from medallion import work

    return work.replay(load(pipeline, overrides), overrides, table=table, json=json)


@command(LOOK, 1, "plan PIPELINE [--layer LAYER | --table TABLE]")
def plan(
    pipeline: Pipeline, /, *overrides: Overrides, layer: Layer = None, table: Table = None, json: Json = False
) -> int:
    """Say what a run would do: what it would read, by which technique, and why."""
    return _plan(load(pipeline, overrides), layer, table, json=json)


def _plan(conf: Conf, layer: str | None, table: str | None, *, json: bool) -> int:
    from medallion import graph, run
    from medallion.views import plan as view

    prepared = run.prepare(conf)
    found = view.of(prepared, graph.select(prepared.tables, layer=layer, table=table))
    tell(found.facts(), found.render, json=json)
    return 0
