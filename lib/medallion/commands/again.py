"""Records that are judged again, or that were never judged."""

from typing import Annotated

from cyclopts import Parameter

from medallion.commands.app import WORK, Json, Limit, Overrides, Pipeline, TableName, command
from medallion.conf import load
from medallion.output import console, tell

Records = Annotated[
    list[str] | None, Parameter(name="--record", help="A record by its id, or how that begins; may be given again.")
]


@command(WORK, 3, "reprocess TABLE (--record ID ... | --where SQL) [--yes]")
def reprocess(
    table: TableName,
    /,
    *overrides: Overrides,
    record: Records = None,
    where: Annotated[str | None, Parameter(help="Records by a condition on the bronze table's columns.")] = None,
    yes: Annotated[bool, Parameter(help="Do it; without, it is tried in a copy, and shown.")] = False,
    json: Json = False,
) -> int:
    """Judge records of a bronze table again by today's definitions; what would change is shown first, --yes does it."""
    from medallion.progress import Progress
    from medallion.views import names
    from medallion.views import reprocess as view

    conf = names.load(table, overrides)
    apply = yes and not conf.platform.runtime.dry_run
    with Progress(console(stderr=True)) as progress:
        found = view.of(conf, view.Question(table, tuple(record or ()), where, apply), progress)
    tell(found.facts(), found.render, json=json)
    return 0 if found.passed else 1


@command(WORK, 4, "backfill PIPELINE [--table TABLE] [--rows N] [--quarantine]")
def backfill(
    pipeline: Pipeline,
    /,
    *overrides: Overrides,
    table: Annotated[str | None, Parameter(help="Only this silver table, and what depends on it.")] = None,
    rows: Annotated[Limit, Parameter(help="Rows a batch; no fewer than one commit upstream.")] = 100_000,
    quarantine: Annotated[bool, Parameter(help="Judge what is in quarantine again, rather than what is new.")] = False,
    json: Json = False,
) -> int:
    """Bring silver tables up to bronze batch by batch, while runs go on; where it is stopped, the next call goes on."""
    from medallion.cache.progress import Saying
    from medallion.views import backfill as view

    with Saying() as saying:
        found = view.of(
            load(pipeline, overrides),
            view.Question(table, rows, quarantine),
            lambda name, left: saying(name, f"{left:,} rows to come", 0, 0),
        )
    tell(found.facts(), found.render, json=json)
    return 0 if found.passed else 1
