"""What is there; without Spark, and nothing is written."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from medallion.commands.app import (
    LOOK,
    Explained,
    Json,
    Limit,
    Overrides,
    Perhaps,
    Pipeline,
    TableName,
    command,
    sorted_out,
)
from medallion.conf import find_project, load, pipelines
from medallion.output import size, tell


@command(LOOK, 2, "status [PIPELINE]")
def status(*arguments: Perhaps, json: Json = False) -> int:
    """Show where tables, deliveries and the last runs stand."""
    from medallion.views import status as view

    given, overrides = sorted_out(arguments, most=1)
    found = view.of(load(name, overrides) for name in given or pipelines(find_project()))
    tell(found.facts(), found.render, json=json)
    return 0


@command(LOOK, 3, "health [PIPELINE] [--alert] [--prometheus]")
def health(
    *arguments: Perhaps,
    alert: Annotated[
        bool, Parameter(name="--alert", help="Tell whoever conf names what is new of it, as after a run; for a timer.")
    ] = False,
    prometheus: Annotated[
        bool, Parameter(name="--prometheus", help="Print metrics in Prometheus' text format.")
    ] = False,
    json: Json = False,
) -> int:
    """Show what waits, is late or failed, how quality goes and what history is left; exit 1 on red."""
    from medallion.views import health as view

    given, overrides = sorted_out(arguments, most=1)
    confs = [load(name, overrides) for name in given or pipelines(find_project())]
    found = view.of(confs, alert=alert)
    if prometheus:
        from medallion.health import prometheus as metrics

        sys.stdout.write(metrics.text(found.pipelines))
    else:
        tell(found.facts(), found.render, json=json)
    return 0 if found.passed else 1


@command(LOOK, 8, "dashboard [PIPELINE] [--to FILE] [--days N]")
def dashboard(
    *arguments: Perhaps,
    to: Annotated[Path, Parameter(help="The file to write.", show_default=True)] = Path("dashboard.html"),
    days: Annotated[
        int, Parameter(help="Of so many days.", validator=validators.Number(gte=1, lte=3650), show_default=True)
    ] = 30,
    json: Json = False,
) -> int:
    """Write a page of runs, volumes, quality, quarantine and alerts; it opens in any browser, without a network."""
    from medallion import dashboard as view

    given, overrides = sorted_out(arguments, most=1)
    page = view.page([load(name, overrides) for name in given or pipelines(find_project())], days)
    to.write_text(page, encoding="utf-8")
    tell({"page": str(to)}, lambda out: out.print(f"{to}: {size(len(page.encode()))}", soft_wrap=True), json=json)
    return 0


@command(LOOK, 4, "history TABLE [--limit N]")
def history(table: TableName, /, *overrides: Overrides, limit: Limit = 10, json: Json = False) -> int:
    """List a table's versions, newest first: how and why each came about, and from what."""
    from medallion.views import history as view
    from medallion.views import names

    found = view.of(names.load(table, overrides), table, limit)
    tell(found.facts(), found.render, json=json)
    return 0


@command(LOOK, 5, "show TABLE [--version N] [--as-of-event DATE] [--limit N] [--columns A,B]")
def show(
    table: TableName,
    /,
    *overrides: Overrides,
    version: Annotated[int | None, Parameter(help="This version, not the last that passed its gate.")] = None,
    as_of_event: Annotated[
        str | None, Parameter(help="Rows as they held that day, or at that time; of a table that keeps their versions.")
    ] = None,
    limit: Limit = 20,
    columns: Annotated[str, Parameter(help="Only these, as in a,b; technical ones may be among them.")] = "",
    json: Json = False,
) -> int:
    """Show rows of a table as its readers see them, or of any version."""
    from medallion.views import names
    from medallion.views import show as view

    wanted = [column.strip() for column in columns.split(",") if column.strip()]
    conf = names.load(table, overrides)
    found = view.of(conf, table, version=version, limit=limit, columns=wanted, as_of_event=as_of_event)
    tell(found.facts(), found.render, json=json)
    return 0


@command(LOOK, 6, "tables PIPELINE [TABLE]")
def tables(pipeline: Pipeline, /, *arguments: Explained, json: Json = False) -> int:
    """Explain the tables of a pipeline, or the columns of one."""
    from medallion import graph, lineage
    from medallion.views import catalog

    given, overrides = sorted_out(arguments, most=1)
    conf = load(pipeline, overrides)
    known = graph.load(conf)
    names = graph.select(known, table=given[0] if given else None)
    found = catalog.of(conf, known, names, detailed=bool(given), personal=lineage.personal(conf, known))
    tell(found.facts(), found.render, json=json)
    return 0


@command(LOOK, 9, "version")
def version(*overrides: Overrides, json: Json = False) -> int:
    """Show the version of this program and of what it stands on."""
    from medallion.views import versions

    sorted_out(overrides, most=0)
    found = versions.of()
    tell(found.facts(), found.render, json=json)
    return 0
