"""What explains tables: pages, and where their columns come from."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from medallion.commands.app import FIND, Json, Perhaps, TableName, command, sorted_out
from medallion.conf import find_project, load, pipelines
from medallion.output import console, tell

FOLDER = "data/docs"


@command(FIND, 7, "docs [PIPELINE] [--to FOLDER]")
def docs(
    *arguments: Perhaps,
    to: Annotated[Path | None, Parameter(help=f"Where to; {FOLDER} of the project, if left out.")] = None,
    json: Json = False,
) -> int:
    """Build a static site of every table: what it holds, comes from, and whether to trust it. Uses Spark once a change.

    Which columns are made of which is asked of Spark, without any data, where a definition changed since.
    """
    from medallion.docs import site

    given, overrides = sorted_out(arguments, most=1)
    project = find_project()
    confs = [load(name, overrides, project) for name in given or pipelines(project)]
    with console(stderr=True).status("docs: reading tables"):
        found = site.build(confs, to or project / FOLDER)
    tell(found.facts(), found.render, json=json)
    return 0


@command(FIND, 6, "lineage TABLE [COLUMN]")
def lineage(
    table: TableName,
    /,
    *arguments: Annotated[str, Parameter(name="COLUMN", help="A column, down to the source; then KEY=VALUE.")],
    json: Json = False,
) -> int:
    """Show which columns and fields those of a table are made of. Asks Spark once a change, as `docs` does."""
    from medallion.views import lineage as view
    from medallion.views import names

    given, overrides = sorted_out(arguments, most=1)
    with console(stderr=True).status("lineage: reading plans"):
        found = view.of(names.load(table, tuple(overrides)), table, given[0] if given else None)
    tell(found.facts(), found.render, json=json)
    return 0
