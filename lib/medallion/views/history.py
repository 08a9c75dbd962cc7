"""The versions of a table, newest first: how each came about, from what, and whether it passed its gate."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medallion.account import GOING, Account
from medallion.conf import Conf
from medallion.lake import Commit, Lake
from medallion.output import size
from medallion.views import names

if TYPE_CHECKING:
    from rich.console import Console

_STANDINGS = {
    "current": "what readers see",
    "good": "passed its gate",
    "not passed": "did not pass its gate, or was not judged yet",
    "half": "took away what is gone, before the version after it brought what came; readers did not see it",
    "verdict": "changed no rows: says that the version before it passed",
    "no rows": "changed no rows: only moved the watermark",
    "foreign": "not a commit of this engine",
}
_STYLES = {"current": "bold green", "good": "green", "not passed": "bold red", "foreign": "bold red"}
# What Delta says of a commit, and how it is called.
_CHANGED = {
    "numTargetRowsInserted": "inserted",
    "numTargetRowsUpdated": "updated",
    "numTargetRowsDeleted": "deleted",
    "numOutputBytes": "bytes",
    "numTargetBytesAdded": "bytes",
}
# Terms of the accounting equations, as they are read.
_TERMS = (
    *("read", "keys", "stored", "written", "gone"),
    *("unchanged", "superseded", "duplicates", "quarantined", "waiting"),
)


@dataclass(frozen=True)
class Read:
    """What a version consumed of a table, or of a source's landing: versions (since, until]."""

    of: str
    since: int
    until: int


@dataclass(frozen=True)
class Entry:
    """One version, how it came about, what it changed, and how long the refresh took."""

    version: int
    at: str
    standing: str
    operation: str
    technique: str = ""
    reason: str = ""
    rows: dict[str, int] | None = None
    reads: list[Read] | None = None
    run_id: str | None = None
    seconds: float | None = None
    changed: dict[str, int] | None = None
    bytes_read: int | None = None


@dataclass(frozen=True)
class History:
    """Versions of one table, newest first; ``more`` if its log holds older ones."""

    table: str
    entries: list[Entry]
    more: bool

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"table": self.table, "versions": [asdict(entry) for entry in self.entries], "more": self.more}

    def render(self, console: "Console") -> None:
        """Print a block a version."""
        _render(self, console)


def of(conf: Conf, name: str, limit: int = 10) -> History:
    """Return at most ``limit`` versions of a table."""
    names.existing(conf, name)
    commits = list(Lake(conf).history(name, limit + 1))
    return History(name, entries(commits)[:limit], more=len(commits) > limit)


def entries(commits: Sequence[Commit]) -> list[Entry]:
    """Return what commits, newest first, say of themselves and of the versions before them."""
    passed: set[int] = set()
    found = []
    for number, commit in enumerate(commits):
        if commit.account is not None:
            passed.add(commit.account.good)
        older = commits[number + 1].account if number + 1 < len(commits) else None
        found.append(_entry(commit, older, passed))
    return found


def _entry(commit: Commit, older: Account | None, passed: set[int]) -> Entry:
    at = dt.datetime.fromtimestamp(commit.at_ms / 1000, dt.UTC).isoformat(timespec="seconds")
    account = commit.account
    if account is None:
        return Entry(commit.version, at, "foreign", commit.operation)
    return Entry(
        commit.version,
        at,
        _standing(commit.version, account, older, passed),
        commit.operation,
        account.technique,
        account.reason,
        {term: account.rows[term] for term in sorted(account.rows, key=_place)},
        [Read(name, mark.since, mark.version) for name, mark in account.watermark.items()],
        account.run_id,
        commit.seconds,
        _changed(commit),
        account.bytes_read,
    )


def _changed(commit: Commit) -> dict[str, int]:
    """Return what Delta says that a commit changed."""
    found = {word: int(commit.metrics[metric]) for metric, word in _CHANGED.items() if commit.metrics.get(metric)}
    return {"deleted": commit.replaced[0], "inserted": commit.replaced[1], **found} if commit.replaced else found


def _standing(version: int, account: Account, older: Account | None, passed: set[int]) -> str:
    if account.technique == GOING:
        return "half"
    if account.data == version:
        return "current" if version == max(passed) else "good" if version in passed else "not passed"
    is_verdict = older is not None and (older.watermark, older.data) == (account.watermark, account.data)
    return "verdict" if is_verdict and older is not None and older.good != account.good else "no rows"


def _place(term: str) -> int:
    return _TERMS.index(term) if term in _TERMS else len(_TERMS)


def _render(history: History, console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(Text(history.table, style="bold"))
    for entry in history.entries:
        style = {"current": "bold green", "not passed": "bold red", "foreign": "bold red"}.get(entry.standing, "")
        head = Text.assemble(f"\nversion {entry.version}  ", (entry.standing, style))
        console.print(head.append(f"  {entry.at.replace('T', ' ').replace('+00:00', ' UTC')}"))
        block = Table.grid(padding=(0, 2))
        block.add_column(style="dim", width=8, justify="right")
        block.add_column(overflow="fold")
        for label, text in _lines(entry):
            block.add_row(label, Text(text))
        console.print(block)
    seen = dict.fromkeys(entry.standing for entry in history.entries)
    console.print()
    for standing in seen:
        console.print(Text(f"{standing}: {_STANDINGS[standing]}", style="dim"))
    if history.more:
        console.print(Text("older versions: --limit", style="dim"))


def _lines(entry: Entry) -> Iterable[tuple[str, str]]:
    if entry.standing == "verdict":  # the rest repeats the version it speaks of
        yield "run", entry.run_id or ""
        return
    yield "how", f"{entry.technique}, by {entry.operation}" if entry.technique else entry.operation
    if entry.reason:
        yield "why", entry.reason
    if entry.rows:
        yield (
            "rows",
            ", ".join(f"{count:,} {term}" for term, count in entry.rows.items() if count or term == "read"),
        )
    if entry.bytes_read is not None:
        yield "read", f"{size(entry.bytes_read)} of files that may hold rows concerned"
    if entry.changed:
        told_of = [f"{n:,} {word}" for word, n in entry.changed.items() if n and word != "bytes"]
        yield "wrote", ", ".join([*told_of, size(entry.changed.get("bytes", 0))])
    if entry.seconds is not None:
        yield "took", f"{entry.seconds:.1f} s"
    if entry.reads:
        yield "from", "\n".join(told(read) for read in entry.reads)
    if entry.run_id:
        yield "run", entry.run_id


def told(read: Read) -> str:
    """Say what was consumed as a person would; none before means everything up to there."""
    if read.of.startswith("landing.") and read.until == 0:
        return f"{read.of}, nothing yet"
    if read.since < 0:
        return f"{read.of}, all up to {read.until}"
    return f"{read.of} {read.since} to {read.until}" if read.since != read.until else f"{read.of} {read.until}"
