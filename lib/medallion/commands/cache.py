"""Local copies of tables, and pages that show them."""

from typing import Annotated

from cyclopts import Parameter

from medallion.commands.app import CACHE, Json, Overrides, Pipeline, command, sorted_out
from medallion.conf import find_project, load
from medallion.output import tell


@command(CACHE, 1, "sync PIPELINE [--table TABLE] [--no-run]")
def sync(
    pipeline: Pipeline,
    /,
    *overrides: Overrides,
    table: Annotated[str | None, Parameter(help="Only the cache of this table.")] = None,
    no_run: Annotated[bool, Parameter(name="--no-run", help="Take tables as they are, without a run.")] = False,
    json: Json = False,
) -> int:
    """Refresh what the cached tables need, and bring their local caches in line with them."""
    from medallion.cache import sync as cache_sync
    from medallion.cache.progress import Saying

    with Saying() as say:
        found = cache_sync.sync(load(pipeline, overrides), table=table, first_run=not no_run, say=say)
    tell(found.facts(), found.render, json=json)
    return 0 if found.passed else 1


@command(CACHE, 2, "pages")
def pages(*overrides: Overrides, json: Json = False) -> int:
    """Serve the pages of the cached tables, their status and a search, until SIGTERM or ^C."""
    from medallion.cache import serve as cache_serve

    sorted_out(overrides, most=0)
    return cache_serve.serve(find_project(), overrides, json=json)
