"""A Spark that is kept warm."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from medallion.commands.app import SPARK, Json, Overrides, command, sorted_out
from medallion.conf import Conf, find_project, load, pipelines
from medallion.errors import ConfError
from medallion.output import tell


@command(SPARK, 1, "up [--foreground]")
def up(
    *overrides: Overrides,
    foreground: Annotated[bool, Parameter(help="Stay, and end it on SIGTERM or ^C: for systemd.")] = False,
    json: Json = False,
) -> int:
    """Start a Spark server that runs, flows and notebooks of this lake find and use, until it is idle for long."""
    from medallion.views import warm as view
    from medallion.warm import start as warm_start

    conf = _any_pipeline(overrides)
    if foreground:
        warm_start.keep(conf)
    with view.Telling() as say:
        server, was_up = warm_start.start(conf, say)
    found = view.of(server, was_up=was_up)
    tell(found.facts(), found.render, json=json)
    return 0


@command(SPARK, 2, "down")
def down(*overrides: Overrides, json: Json = False) -> int:
    """End the Spark server that `medallion up` started."""
    from medallion.views import warm as view
    from medallion.warm import start as warm_start

    with view.Telling() as say:
        found = view.Ended.of(warm_start.end(_any_pipeline(overrides), say))
    tell(found.facts(), found.render, json=json)
    return 0


def _any_pipeline(overrides: Sequence[str]) -> Conf:
    """Return conf for what concerns the platform alone: of the first pipeline there is."""
    _, given = sorted_out(overrides, most=0)
    known = pipelines(find_project())
    if not known:
        raise ConfError("conf/pipelines: found no pipeline; wanted one")
    return load(known[0], given)
