"""Whether to trust a table today: by the verdict on its rows, its last run, its expectations, what it is made of."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from medallion.output import counted
from medallion.views.status import Standing

Level = Literal["ok", "warn", "bad", "none"]


@dataclass(frozen=True)
class Expected:
    """An expectation with its last results, newest first."""

    label: str
    severity: str
    tolerance: float
    text: str
    results: Sequence[dict[str, Any]] = ()

    @property
    def last(self) -> dict[str, Any] | None:
        """The last result; None where it was not judged yet."""
        return self.results[0] if self.results else None

    @property
    def is_missed(self) -> bool:
        """Whether the last result is that it was missed."""
        return self.last is not None and not self.last["passed"]

    def level(self, result: dict[str, Any]) -> Level:
        """Return how bad a result is: a table of which rows were set aside is none the worse, but they are missing."""
        return "ok" if result["passed"] else "bad" if self.severity == "fail" else "warn"


@dataclass(frozen=True)
class Seen:
    """What is known of a table: where it stands, its last turn in a run, what is expected of it, what is overdue."""

    standing: Standing
    step: dict[str, Any] | None
    checks: Sequence[Expected]
    due: dt.datetime | None = None
    is_readable: bool = True


@dataclass(frozen=True)
class Trust:
    """The answer, and all that stands behind it, the worst first."""

    level: Level
    reasons: Sequence[str]

    @property
    def word(self) -> str:
        """The answer in a word or two."""
        return {"ok": "trusted", "warn": "with care", "bad": "not now", "none": "no data yet"}[self.level]


def judge(seen: Seen, above: Mapping[str, Trust]) -> Trust:
    """Return whether to trust a table, given the same of the tables that it is made of."""
    standing = seen.standing
    if not seen.is_readable:
        return Trust("bad", [f"it cannot be read: `medallion audit {standing.table.split('.')[0]} --fast` says why"])
    if standing.version is None:
        return Trust("none", ["no run has made it yet"])
    bad, warn = _bad(seen), _warnings(seen, above)
    if bad or warn:
        return Trust("bad" if bad else "warn", [*bad, *warn])
    judged = [check for check in seen.checks if check.last]
    if not judged:
        return Trust(
            "ok", [f"its last run ended well; {'not judged yet' if seen.checks else 'nothing is expected of it'}"]
        )
    return Trust("ok", [f"its last run ended well, {counted(len(judged), 'expectations')} met"])


def _bad(seen: Seen) -> list[str]:
    standing, found = seen.standing, []
    if standing.good != standing.data:
        kept = "nothing" if standing.good is None else f"version {standing.good}"
        found.append(f"version {standing.data} did not pass its expectations; readers see {kept}")
    if seen.step and seen.step["status"] == "failed":
        found.append("its last run failed")
    return found


def _warnings(seen: Seen, above: Mapping[str, Trust]) -> list[str]:
    found = []
    if seen.step and seen.step["status"] == "blocked":
        found.append("its last run was held up by a table that it reads; its rows are those of the run before")
    aside = [check.label for check in seen.checks if check.is_missed and check.severity == "quarantine"]
    missed = [check.label for check in seen.checks if check.is_missed and check.severity != "quarantine"]
    if missed:
        found.append(f"{counted(len(missed), 'expectations')} missed: {', '.join(missed[:3])}")
    if aside:
        found.append(
            f"rows were set aside, and are not in it: {', '.join(aside[:3])}{' and others' * (len(aside) > 3)}"
        )
    found += [f"made of {name}, which is not to be trusted now" for name, one in above.items() if one.level == "bad"]
    if seen.due:
        found.append(f"a run was due at {seen.due:%Y-%m-%d %H:%M %Z}, and none has begun since")
    return found
