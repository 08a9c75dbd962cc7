"""Where a figure comes from, and why it is another one now."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from medallion.commands.app import FIND, Json, Limit, Overrides, Pipeline, TableName, command
from medallion.conf import Conf
from medallion.errors import ConfError
from medallion.output import console, tell

Where = Annotated[str, Parameter(name="COLUMN=VALUE", help="Which rows, by their key; null is null. Then KEY=VALUE.")]


@command(FIND, 2, "trace TABLE COLUMN=VALUE ... [--at VERSION|RUN] [--verify] [--up] [--html FILE]")
def trace(
    table: TableName,
    /,
    *where: Where,
    at: Annotated[str | None, Parameter(help="As it was at this version, or when this run had ended.")] = None,
    verify: Annotated[bool, Parameter(help="Make the rows anew from the payloads found, and compare.")] = False,
    up: Annotated[bool, Parameter(help="What they are in, up to gold; of bronze by _record_id=...")] = False,
    html: Annotated[Path | None, Parameter(help="Write a page, too.")] = None,
    json: Json = False,
) -> int:
    """Show what rows were made of, down to the payloads, or are in; --verify: exit 1 where payloads make other rows."""
    from medallion.views import trace as view

    conf, wanted = _told_apart(table, where)
    with console(stderr=True).status(f"{table}: trace"):
        found = view.of(conf, view.Question(table, wanted, at, verify, up))
    if html is not None:
        html.write_text(found.page())
    tell(found.facts(), found.render, json=json)
    return 0 if found.passed else 1


@command(FIND, 3, "diff TABLE VERSION|RUN VERSION|RUN [--why] [--csv FILE]")
def diff(
    table: TableName,
    before: Annotated[str, Parameter(help="A version, by its number, or as it was when this run had ended.")],
    after: Annotated[str, Parameter(help="Another one.")],
    /,
    *overrides: Overrides,
    why: Annotated[bool, Parameter(help="Look at which records some rows are made of, before and after.")] = False,
    csv: Annotated[Path | None, Parameter(help="Write all rows that differ.")] = None,
    json: Json = False,
) -> int:
    """Show what differs between two versions of a table, by key: how many rows, examples, and why."""
    from medallion.views import diff as view
    from medallion.views import names

    with console(stderr=True).status(f"{table}: diff"):
        found = view.of(names.load(table, overrides), view.Question(table, before, after, why, csv))
    tell(found.facts(), found.render, json=json)
    return 0


@command(FIND, 4, "reproduce TABLE [--at VERSION|RUN]")
def reproduce(
    table: TableName,
    /,
    *overrides: Overrides,
    at: Annotated[str | None, Parameter(help="This version, or as it was when this run had ended.")] = None,
    json: Json = False,
) -> int:
    """Make a table anew from the versions that it was made from, and compare; exit 1 where they differ."""
    from medallion.views import names
    from medallion.views import reproduce as view

    with console(stderr=True).status(f"{table}: reproduce"):
        found = view.of(names.load(table, overrides), table, at)
    tell(found.facts(), found.render, json=json)
    return 0 if found.passed else 1


@command(FIND, 5, "sql PIPELINE SELECT [--at RUN] [--limit N]")
def sql(
    pipeline: Pipeline,
    select: Annotated[str, Parameter(help="A SELECT over tables such as shop_gold.revenue.")],
    /,
    *overrides: Overrides,
    at: Annotated[str | None, Parameter(help="Over all tables as they were when this run had ended.")] = None,
    limit: Limit = 20,
    json: Json = False,
) -> int:
    """Ask the tables of a pipeline by SQL, as they stand or as a run left them. Writes nothing."""
    from medallion.views import asked as view

    with console(stderr=True).status(f"{pipeline}: sql"):
        found = view.of(pipeline, select, at, limit, overrides)
    tell(found.facts(), found.render, json=json)
    return 0


def _told_apart(table: str, given: tuple[str, ...]) -> tuple[Conf, dict[str, str]]:
    """Return conf, and the values asked for: what names no column of the table is conf for this call."""
    from medallion import graph
    from medallion.views import names
    from medallion.views import trace as view

    wrong = [one for one in given if "=" not in one]
    if wrong:
        raise ConfError(f"command line: found {', '.join(wrong)}; wanted COLUMN=VALUE")
    known = graph.load(names.load(table, ()))
    columns = view.columns_of(known[table]) if table in known else []
    pairs = dict(one.split("=", 1) for one in given)
    wanted = {column: value for column, value in pairs.items() if column in columns or not _is_conf(column)}
    return names.load(table, tuple(f"{k}={v}" for k, v in pairs.items() if k not in wanted)), wanted


def _is_conf(name: str) -> bool:
    return "." in name or name == "environment"
