"""The commands: each reads its arguments, has the work done elsewhere, and returns an exit code."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Literal, TypeVar

from cyclopts import App, Group, Parameter, validators

from medallion.conf import Conf, find_project, load, pipelines
from medallion.errors import ConfError
from medallion.output import tell

Command = TypeVar("Command", bound=Callable[..., int])

_WORK = Group("Work", sort_key=1)
_LOOK = Group("Look (no Spark, nothing is written)", sort_key=2)
_FEED = Group("Feed", sort_key=3)
_CACHE = Group("Cache for a dashboard", sort_key=3)
_SPARK = Group("Spark kept warm (no run needs it, each is faster with it)", sort_key=4)
_WRITE = Group("Write", sort_key=5)
_OTHER = Group("Options", sort_key=6)
_ONE_OF = Group("Only a part of the pipeline", validator=validators.mutually_exclusive)

app = App(
    name="medallion",
    help="A lakehouse in a repository: from payloads in landing to gold tables that account for every row.",
    help_epilogue="Conf for one call goes to its end as KEY=VALUE, for instance:\n"
    "environment=prod runtime.parallel_jobs=16 runtime.dry_run=true",
    help_format="plaintext",
    version_flags=[],
    group_commands=_OTHER,
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative="", show_default=False),
)

Pipeline = Annotated[str, Parameter(help="A pipeline, by the name of its conf.")]
TableName = Annotated[str, Parameter(help="A table's full name: PIPELINE.LAYER.TABLE.")]
Overrides = Annotated[str, Parameter(name="KEY=VALUE", help="Conf for this call, such as environment=prod.")]
Layer = Annotated[str | None, Parameter(group=_ONE_OF, help="This layer: bronze, silver or gold.")]
Table = Annotated[str | None, Parameter(group=_ONE_OF, help="This table: LAYER.TABLE, or its full name.")]
Limit = Annotated[int, Parameter(help="At most so many.", validator=validators.Number(gte=1), show_default=True)]
Perhaps = Annotated[str, Parameter(name="PIPELINE", help="A pipeline, all if left out; then KEY=VALUE.")]
Explained = Annotated[str, Parameter(name="TABLE", help="A table, to see its columns; then KEY=VALUE.")]
Files = Annotated[str, Parameter(name="FILE", help="Files of one delivery; then KEY=VALUE.")]
Json = Annotated[bool, Parameter(name="--json", help="Print one JSON document on stdout.")]


def _command(group: Group, place: int, usage: str) -> Callable[[Command], Command]:
    """Return a decorator that makes a function a command; ``place`` is its line in the help."""
    return app.command(group=group, sort_key=place, usage=f"Usage: medallion {usage} [KEY=VALUE ...] [--json]")


@_command(_WORK, 1, "run PIPELINE [--layer LAYER | --table TABLE]")
def run(
    pipeline: Pipeline, /, *overrides: Overrides, layer: Layer = None, table: Table = None, json: Json = False
) -> int:
    """Refresh what changed, from landing to gold, and report."""
    conf = load(pipeline, overrides)
    if conf.platform.runtime.dry_run:
        return _plan(conf, layer, table, json=json)
    from medallion import work

    return work.refresh(conf, overrides, layer=layer, table=table, json=json)


@_command(_WORK, 2, "replay PIPELINE [--table TABLE]")
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


@_command(_SPARK, 1, "up [--foreground]")
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


@_command(_SPARK, 2, "down")
def down(*overrides: Overrides, json: Json = False) -> int:
    """End the Spark server that `medallion up` started."""
    from medallion.views import warm as view
    from medallion.warm import start as warm_start

    with view.Telling() as say:
        found = view.Ended.of(warm_start.end(_any_pipeline(overrides), say))
    tell(found.facts(), found.render, json=json)
    return 0


@_command(_LOOK, 1, "plan PIPELINE [--layer LAYER | --table TABLE]")
def plan(
    pipeline: Pipeline, /, *overrides: Overrides, layer: Layer = None, table: Table = None, json: Json = False
) -> int:
    """Say what a run would do: what it would read, by which technique, and why."""
    return _plan(load(pipeline, overrides), layer, table, json=json)


@_command(_LOOK, 2, "status [PIPELINE]")
def status(*arguments: Perhaps, json: Json = False) -> int:
    """Show where tables, deliveries and the last runs stand."""
    from medallion.views import status as view

    given, overrides = _sorted_out(arguments, most=1)
    found = view.of(load(name, overrides) for name in given or pipelines(find_project()))
    tell(found.facts(), found.render, json=json)
    return 0


@_command(_LOOK, 3, "history TABLE [--limit N]")
def history(table: TableName, /, *overrides: Overrides, limit: Limit = 10, json: Json = False) -> int:
    """List a table's versions, newest first: how and why each came about, and from what."""
    from medallion.views import history as view
    from medallion.views import names

    found = view.of(names.load(table, overrides), table, limit)
    tell(found.facts(), found.render, json=json)
    return 0


@_command(_LOOK, 4, "show TABLE [--version N] [--as-of-event DATE] [--limit N] [--columns A,B]")
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


@_command(_LOOK, 5, "tables PIPELINE [TABLE]")
def tables(pipeline: Pipeline, /, *arguments: Explained, json: Json = False) -> int:
    """Explain the tables of a pipeline, or the columns of one."""
    from medallion import graph
    from medallion.views import catalog

    given, overrides = _sorted_out(arguments, most=1)
    conf = load(pipeline, overrides)
    known = graph.load(conf)
    names = graph.select(known, table=given[0] if given else None)
    found = catalog.of(conf, known, names, detailed=bool(given))
    tell(found.facts(), found.render, json=json)
    return 0


@_command(_LOOK, 6, "version")
def version(*overrides: Overrides, json: Json = False) -> int:
    """Show the version of this program and of what it stands on."""
    from medallion.views import versions

    _sorted_out(overrides, most=0)
    found = versions.of()
    tell(found.facts(), found.render, json=json)
    return 0


@dataclass(frozen=True)
class Size:
    """What to make: a day of the sample, and how large a one."""

    day: Annotated[int, Parameter(help="Day of the sample; 0, if left out: its whole history.")] = 0
    orders: Annotated[int | None, Parameter(help="How many orders day 0 has.")] = None
    seed: Annotated[int | None, Parameter(help="Another seed makes other data.")] = None
    payloads_per_file: Annotated[int | None, Parameter(help="More than one: files of JSON lines.")] = None


@_command(_FEED, 1, "sample PIPELINE [--day N] [--orders N] [--seed N] [--payloads-per-file N]")
def sample(
    pipeline: Pipeline,
    /,
    *overrides: Overrides,
    size: Annotated[Size, Parameter(name="*")] = Size(),
    json: Json = False,
) -> int:
    """Deliver a day of the pipeline's sample data to landing."""
    from medallion import feed

    options = {name: value for name, value in asdict(size).items() if name != "day" and value is not None}
    found = feed.sample(load(pipeline, overrides), size.day, options)
    tell(found.facts(), found.render, json=json)
    return 0


@_command(_FEED, 2, "land PIPELINE SOURCE FILE ...")
def land(
    pipeline: Pipeline,
    source: Annotated[str, Parameter(help="The source that delivers, as conf names it.")],
    /,
    *files: Files,
    json: Json = False,
) -> int:
    """Deliver files of your own to landing, as one delivery."""
    from medallion import feed

    paths, overrides = _sorted_out(files)
    found = feed.land(load(pipeline, overrides), source, paths)
    tell(found.facts(), found.render, json=json)
    return 0


@_command(_FEED, 3, "serve [--pipeline NAME]")
def serve(
    *overrides: Overrides,
    pipeline: Annotated[str | None, Parameter(help="Only the sources of this pipeline.")] = None,
    json: Json = False,
) -> int:
    """Take in what webhooks post, until SIGTERM or ^C."""
    from medallion.receiver import server as receiver_server

    _sorted_out(overrides, most=0)
    project = find_project()
    names = pipelines(project) if pipeline is None else [pipeline]
    return receiver_server.serve([load(name, overrides, project) for name in names], json=json)


@_command(_CACHE, 1, "sync PIPELINE [--table TABLE] [--no-run]")
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


@_command(_CACHE, 2, "pages")
def pages(*overrides: Overrides, json: Json = False) -> int:
    """Serve the pages of the cached tables, their status and a search, until SIGTERM or ^C."""
    from medallion.cache import serve as cache_serve

    _sorted_out(overrides, most=0)
    return cache_serve.serve(find_project(), overrides, json=json)


@app.command(
    group=_WRITE,
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


def _any_pipeline(overrides: Sequence[str]) -> Conf:
    """Return conf for what concerns the platform alone: of the first pipeline there is."""
    _, given = _sorted_out(overrides, most=0)
    known = pipelines(find_project())
    if not known:
        raise ConfError("conf/pipelines: found no pipeline; wanted one")
    return load(known[0], given)


def _plan(conf: Conf, layer: str | None, table: str | None, *, json: bool) -> int:
    from medallion import graph, run
    from medallion.views import plan as view

    prepared = run.prepare(conf)
    found = view.of(prepared, graph.select(prepared.tables, layer=layer, table=table))
    tell(found.facts(), found.render, json=json)
    return 0


def _sorted_out(arguments: Sequence[str], most: int | None = None) -> tuple[list[str], list[str]]:
    """Tell overrides (key=value, and no file of that name) from other arguments, at most so many."""
    overrides = [one for one in arguments if "=" in one and not os.path.exists(one)]
    others = [one for one in arguments if one not in overrides]
    if most is not None and len(others) > most:
        raise ConfError(f"command line: found {', '.join(others)}; wanted at most {most} besides key=value")
    return others, overrides
