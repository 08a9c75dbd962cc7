"""What an audit notes down: what is wrong, what it looked at, and what it did not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from medallion.errors import EXAMPLES, LakehouseError

Standing = Literal["ok", "red", "not checked"]

INVARIANTS = {
    1: "nothing acknowledged is lost",
    2: "nothing is counted twice",
    3: "every record is accounted for",
    4: "derived tables equal their recomputation",
    5: "every version has an address",
    6: "stores equal their tables",
    7: "logs and files are whole",
    8: "nobody is about to lose history",
    9: "erased means erased",
    10: "only allowed doors are open",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: with ``subject`` (a table, a source, a part of conf), examples, and what to do next."""

    invariant: int
    subject: str
    what: str
    examples: tuple[str, ...]
    count: int
    next: str


@dataclass(frozen=True)
class Unchecked:
    """One thing that was not looked at, and why."""

    invariant: int
    subject: str
    why: str


@dataclass
class Result:
    """What came of one invariant; ``looked_at`` counts things by their name, such as rows or files."""

    invariant: int
    looked_at: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def standing(self) -> Standing:
        """Red where something is wrong, ok where all that was looked at is well, else not checked."""
        if self.findings:
            return "red"
        return "ok" if any(self.looked_at.values()) else "not checked"

    def saw(self, things: str, count: int) -> None:
        """Count what was looked at."""
        self.looked_at[things] = self.looked_at.get(things, 0) + count

    def red(self, subject: str, what: str, examples: Sequence[str], next: str) -> None:
        """Note down something that is wrong; of the examples at most five are kept, and how many there are."""
        shown = tuple(examples[:EXAMPLES])
        self.findings.append(Finding(self.invariant, subject, what, shown, max(len(examples), 1), next))

    def skip(self, subject: str, why: str) -> None:
        """Note down something that is not looked at."""
        self.unchecked.append(Unchecked(self.invariant, subject, why))

    @contextmanager
    def perhaps(self, subject: str) -> Iterator[None]:
        """Look at something that may be unreadable: then it is not checked, and the reason stands there.

        What makes it unreadable is for the invariant on logs and files to tell.
        """
        try:
            yield
        except LakehouseError as error:
            self.skip(subject, str(error))
        except Exception as error:  # noqa: BLE001  whatever a reader raises over damaged files, the audit goes on
            self.skip(subject, f"cannot be read: {type(error).__name__}: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, shortened."""
    return (str(error).strip().splitlines() or [""])[0][:300]
