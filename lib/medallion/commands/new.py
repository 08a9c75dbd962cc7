"""What writes a table's or pipeline's first lines."""

from typing import Annotated, Literal

from cyclopts import Parameter

from medallion.commands.app import WRITE, Json, app
from medallion.conf import find_project
from medallion.errors import ConfError
from medallion.output import tell


@app.command(
    group=WRITE,
    sort_key=1,
    usage="Usage: medallion new pipeline NAME [--json]\n"
    "       medallion new table PIPELINE.LAYER.TABLE [--kind KIND] [--reads TABLE] [--json]",
)
def new(
    what: Annotated[Literal["pipeline", "table"], Parameter(help="What to write.")],
    name: Annotated[str, Parameter(help="Its name; of a table in full: PIPELINE.LAYER.TABLE.")],
    /,
    *,
    kind: Annotated[
        Literal["mart", "aggregate", "derived"] | None, Parameter(help="Of a gold table; an aggregate, if left out.")
    ] = None,
    reads: Annotated[str | None, Parameter(help="The table that a table reads: LAYER.TABLE, or its full name.")] = None,
    json: Json = False,
) -> int:
    """Write the modules, conf and tests of a new pipeline or table, which work at once."""
    from medallion import new as writing

    project = find_project()
    if what == "pipeline" and (kind or reads):
        raise ConfError("command line: --kind and --reads are for tables; wanted a pipeline's name alone")
    found = writing.pipeline(project, name) if what == "pipeline" else writing.table(project, name, kind, reads)
    tell(found.facts(), found.render, json=json)
    return 0
