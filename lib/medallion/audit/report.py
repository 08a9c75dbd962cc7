"""An audit for people and programs: a line an invariant, what is wrong with what to do next, what was not checked."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion.audit.finding import INVARIANTS, Finding, Result, Unchecked

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"ok": "green", "red": "bold red", "not checked": "yellow"}


@dataclass(frozen=True)
class Version:
    """The version of a table that was looked at, and the one its readers see."""

    table: str
    version: int
    good: int | None


@dataclass(frozen=True)
class Audit:
    """What came of a pipeline's audit; ``at`` is the run whose versions were looked at, None: the newest ones."""

    pipeline: str
    environment: str
    at: str | None
    versions: Sequence[Version]
    landing: dict[str, int]
    results: Sequence[Result]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing that was looked at is wrong."""
        return not self.findings

    @property
    def findings(self) -> list[Finding]:
        """All that is wrong."""
        return [finding for result in self.results for finding in result.findings]

    @property
    def unchecked(self) -> list[Unchecked]:
        """All that was not looked at."""
        return [one for result in self.results for one in result.unchecked]

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "pipeline": self.pipeline,
            "environment": self.environment,
            "at": self.at,
            "passed": self.passed,
            "seconds": self.seconds,
            "versions": [asdict(version) for version in self.versions],
            "landing": self.landing,
            "invariants": [
                {
                    "number": result.invariant,
                    "name": INVARIANTS[result.invariant],
                    "standing": result.standing,
                    "looked_at": result.looked_at,
                    "seconds": result.seconds,
                }
                for result in self.results
            ],
            "findings": [asdict(finding) for finding in self.findings],
            "not_checked": [asdict(one) for one in self.unchecked],
        }

    def render(self, out: "Console") -> None:
        """Print the invariants, then the findings, then what was not checked."""
        from rich.table import Table
        from rich.text import Text

        as_of = f", as run {self.at} left it" if self.at else ""
        out.print(Text(f"{self.pipeline}, environment {self.environment}{as_of}", style="bold"))
        shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("", "invariant", "", "looked at"):
            shown.add_column(heading)
        shown.add_column("seconds", justify="right")
        for result in self.results:
            looked = ", ".join(f"{count:,} {things}" for things, count in result.looked_at.items() if count)
            standing = Text(result.standing, style=_STYLES[result.standing])
            cells = (str(result.invariant), INVARIANTS[result.invariant], standing, looked, f"{result.seconds:.1f}")
            shown.add_row(*cells)
        out.print(shown)
        for finding in self.findings:
            _render(finding, out)
        if self.unchecked:
            out.print(Text("\nnot checked", style="bold"))
        for one in self.unchecked:
            out.print(Text(f"  {one.invariant:>2}  {one.subject}: {one.why}"), soft_wrap=True)
        count = len(self.findings)
        told = f"red: {count} finding{'' if count == 1 else 's'}" if count else "nothing wrong in what was looked at"
        out.print(Text(f"\n{told}, in {self.seconds:.1f} s", style=_STYLES["red" if count else "ok"]))


def _render(finding: Finding, out: "Console") -> None:
    from rich.text import Text

    out.print(Text(f"\nred {finding.invariant}  {finding.subject}: {finding.what}", style="red"), soft_wrap=True)
    for example in finding.examples:
        out.print(Text(f"  {example}"), soft_wrap=True)
    if finding.count > len(finding.examples):
        out.print(f"  and {finding.count - len(finding.examples)} more")
    out.print(Text(f"  next: {finding.next}", style="dim"), soft_wrap=True)
