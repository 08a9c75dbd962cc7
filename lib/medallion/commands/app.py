"""What all commands share: the program, its groups of commands, and arguments that several take."""

import os
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from cyclopts import App, Group, Parameter, validators

from medallion.errors import ConfError

_MOST = 2**31 - 1

Command = TypeVar("Command", bound=Callable[..., int])

WORK = Group("Work", sort_key=1)
LOOK = Group("Look (no Spark, nothing is written)", sort_key=2)
FIND = Group("Find out (with Spark, no table is written)", sort_key=3)
KEEP = Group("Keep what is needed, and no more", sort_key=4)
FEED = Group("Feed", sort_key=5)
CACHE = Group("Cache for a dashboard", sort_key=6)
SPARK = Group("Spark kept warm (no run needs it, each is faster with it)", sort_key=7)
WRITE = Group("Write", sort_key=8)
OTHER = Group("Options", sort_key=9)
_ONE_OF = Group("Only a part of the pipeline", validator=validators.mutually_exclusive)

app = App(
    name="medallion",
    help="A lakehouse in a repository: from payloads in landing to gold tables that account for every row.",
    help_epilogue="Conf for one call goes to its end as KEY=VALUE, for instance:\n"
    "environment=prod runtime.parallel_jobs=16 runtime.dry_run=true",
    help_format="plaintext",
    version_flags=[],
    group_commands=OTHER,
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative="", show_default=False),
)

Pipeline = Annotated[str, Parameter(help="A pipeline, by the name of its conf.")]
TableName = Annotated[str, Parameter(help="A table's full name: PIPELINE.LAYER.TABLE.")]
Overrides = Annotated[str, Parameter(name="KEY=VALUE", help="Conf for this call, such as environment=prod.")]
Layer = Annotated[str | None, Parameter(group=_ONE_OF, help="This layer: bronze, silver or gold.")]
Table = Annotated[str | None, Parameter(group=_ONE_OF, help="This table: LAYER.TABLE, or its full name.")]
Limit = Annotated[
    int, Parameter(help="At most so many.", validator=validators.Number(gte=1, lte=_MOST), show_default=True)
]
Perhaps = Annotated[str, Parameter(name="PIPELINE", help="A pipeline, all if left out; then KEY=VALUE.")]
Explained = Annotated[str, Parameter(name="TABLE", help="A table, to see its columns; then KEY=VALUE.")]
Files = Annotated[str, Parameter(name="FILE", help="Files of one delivery; then KEY=VALUE.")]
Json = Annotated[bool, Parameter(name="--json", help="Print one JSON document on stdout.")]


def command(group: Group, place: int, usage: str) -> Callable[[Command], Command]:
    """Return a decorator that makes a function a command; ``place`` is its line in the help."""
    return app.command(group=group, sort_key=place, usage=f"Usage: medallion {usage} [KEY=VALUE ...] [--json]")


def sorted_out(arguments: Sequence[str], most: int | None = None) -> tuple[list[str], list[str]]:
    """Tell overrides (key=value, and no file of that name) from other arguments, at most so many."""
    overrides = [one for one in arguments if "=" in one and not os.path.exists(one)]
    others = [one for one in arguments if one not in overrides]
    if most is not None and len(others) > most:
        raise ConfError(f"command line: found {', '.join(others)}; wanted at most {most} besides key=value")
    return others, overrides
