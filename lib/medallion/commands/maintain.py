"""Maintenance: what would be done and what was; and runs that are kept whatever conf says."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from medallion.commands.app import KEEP, Json, Overrides, Pipeline, command
from medallion.conf import Conf, load
from medallion.errors import ConfError
from medallion.output import console, tell

if TYPE_CHECKING:
    from medallion.session import Sessions
    from medallion.step import Run

RunId = Annotated[str, Parameter(name="RUN", help="A run's id; `medallion status PIPELINE` lists the last ones.")]


@command(KEEP, 1, "maintain PIPELINE|TABLE [--yes]")
def maintain(
    name: Annotated[str, Parameter(name="PIPELINE", help="A pipeline, or one table by its full name.")],
    /,
    *overrides: Overrides,
    yes: Annotated[bool, Parameter(help="Do it; without, only say what would be done.")] = False,
    json: Json = False,
) -> int:
    """Write small files as few, and remove what nobody needs any more, as keep_rows and keep_versions say."""
    from medallion import work

    pipeline, _, table = name.partition(".")
    conf = load(pipeline, overrides)
    return work.maintain(conf, name if table else None, dry_run=not yes or conf.platform.runtime.dry_run, json=json)


@command(KEEP, 2, "pin PIPELINE RUN --until DATE")
def pin(
    pipeline: Pipeline,
    run: RunId,
    /,
    *overrides: Overrides,
    until: Annotated[str, Parameter(help="The last day, such as 2027-03-31.")],
    json: Json = False,
) -> int:
    """Keep all tables readable as a run left them, until a day, whatever conf says."""
    from medallion.audit import pins as cuts
    from medallion.maintain import runpins
    from medallion.views.maintenance import Pins

    try:
        day = dt.date.fromisoformat(until)
    except ValueError:
        raise ConfError(f"--until: found {until!r}; wanted a day such as 2027-03-31") from None
    prepared, sessions = _prepared(load(pipeline, overrides))
    try:
        with console(stderr=True).status(f"{pipeline}: pin"):
            placed = runpins.place(prepared, cuts.pin(prepared), sessions, run, day)
    finally:
        sessions.stop()
    found = Pins(pipeline, [placed])
    tell(found.facts(), found.render, json=json)
    return 0


@command(KEEP, 3, "unpin PIPELINE RUN")
def unpin(pipeline: Pipeline, run: RunId, /, *overrides: Overrides, json: Json = False) -> int:
    """Let go of a run that was pinned."""
    from medallion.audit import pins as cuts
    from medallion.maintain import runpins
    from medallion.views.maintenance import Pins

    prepared, sessions = _prepared(load(pipeline, overrides))
    try:
        with console(stderr=True).status(f"{pipeline}: unpin"):
            runpins.lift(prepared, cuts.pin(prepared), sessions, [run])
    finally:
        sessions.stop()
    found = Pins(pipeline, runpins.of(cuts.pin(prepared)))
    tell(found.facts(), found.render, json=json)
    return 0


@command(KEEP, 4, "pins PIPELINE")
def pins(pipeline: Pipeline, /, *overrides: Overrides, json: Json = False) -> int:
    """List the runs that are pinned, and until when."""
    from medallion import run as runs
    from medallion.audit import pins as cuts
    from medallion.maintain import runpins
    from medallion.views.maintenance import Pins

    found = Pins(pipeline, runpins.of(cuts.pin(runs.prepare(load(pipeline, overrides)))))
    tell(found.facts(), found.render, json=json)
    return 0


def _prepared(conf: Conf) -> "tuple[Run, Sessions]":
    from medallion import run as runs
    from medallion.session import Sessions

    if conf.platform.runtime.dry_run:
        raise ConfError("runtime.dry_run: a pin is written; wanted false")
    return runs.prepare(conf), Sessions(conf)
