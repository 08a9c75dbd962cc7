"""Whether what is there is right: the ten invariants, held against pinned versions; nothing is written."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from medallion.commands.app import FIND, Json, Perhaps, command, sorted_out
from medallion.conf import find_project, load, pipelines
from medallion.errors import ConfError
from medallion.output import console, tell

if TYPE_CHECKING:
    from rich.console import Console

    from medallion.audit.report import Audit


@command(FIND, 1, "audit [PIPELINE] [--at RUN] [--sample N] [--fast]")
def audit(
    *arguments: Perhaps,
    at: Annotated[str | None, Parameter(help="As this run left it, not as it stands; by the run's id.")] = None,
    sample: Annotated[
        int,
        Parameter(help="Files and deliveries of each table that are read whole.", validator=validators.Number(gte=1)),
    ] = 1000,
    fast: Annotated[bool, Parameter(help="Without Spark: silver and gold are not made anew and compared.")] = False,
    json: Json = False,
) -> int:
    """Check that nothing is lost, doubled, unaccounted for or damaged; exit 1 where something is. Writes nothing."""
    from medallion import run as runs
    from medallion.audit import run as auditing
    from medallion.session import Sessions

    given, overrides = sorted_out(arguments, most=1)
    names = given or pipelines(find_project())
    if at is not None and len(names) != 1:
        raise ConfError("command line: --at is for one pipeline; wanted its name")
    confs = [load(name, overrides) for name in names]
    sessions = Sessions(confs[0]) if confs and not fast else None
    found: list[Audit] = []
    try:
        for conf in confs:
            with console(stderr=True).status(f"{conf.name}: audit") as status:
                found.append(auditing.audit(runs.prepare(conf), sessions, at=at, sample=sample, say=status.update))
    finally:
        if sessions is not None:
            sessions.stop()
    passed = all(one.passed for one in found)

    def render(shown: "Console") -> None:
        for one in found:
            one.render(shown)

    tell({"passed": passed, "audits": [one.facts() for one in found]}, render, json=json)
    return 0 if passed else 1
