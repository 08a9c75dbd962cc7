"""Whether a version of a table can be made anew from what it says it was made from."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion.conf import Conf
from medallion.output import counted
from medallion.session import Sessions
from medallion.trace.reproduce import Reproduced, reproduce
from medallion.trace.versions import named_version, state_at
from medallion.views.at_hand import prepared, session_of

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Reproduction:
    """A version of a table, and what came of making it anew."""

    table: str
    version: int
    run_id: str
    code: str | None
    found: Reproduced

    @property
    def passed(self) -> bool:
        """Whether both are the same."""
        return not self.found.differences

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {**asdict(self), "passed": self.passed}

    def render(self, console: "Console") -> None:
        """Print what was compared, and what differs."""
        from rich.text import Text

        console.print(Text(f"{self.table} version {self.version}, by run {self.run_id}", style="bold"))
        console.print(f"  code       {self.code or 'not recorded'}")
        made_from = ", ".join(f"{name} {version}" for name, version in self.found.made_from.items())
        console.print(f"  made from  {made_from}")
        for side, rows, told in zip(("stored", "made anew"), self.found.rows, self.found.checksums, strict=True):
            console.print(f"  {side:9}  {counted(rows, 'rows')}, checksum {told}")
        if self.passed:
            console.print(Text("the same", style="green"))
        for line in self.found.differences[:5]:
            console.print(Text(f"  {line}", style="bold red"))
        if len(self.found.differences) > 5:
            console.print(f"  and {len(self.found.differences) - 5:,} more")


def of(conf: Conf, name: str, at: str | None = None, sessions: Sessions | None = None) -> Reproduction:
    """Make a table anew as of a version or run, or as readers see it; with Spark of ``sessions``, or one of its own.

    Raises ConfError where there is no such table, version or run, HistoryError where its definition changed since, or
    what it was made from is gone.
    """
    run = prepared(conf, name)
    state = state_at(run.lake, name, None if at is None else named_version(run, name, at))
    with session_of(conf, sessions) as session:
        found = reproduce(run, session, state)
    assert state.account is not None  # of every state at a version
    return Reproduction(name, state.version, state.account.run_id, state.account.code, found)
