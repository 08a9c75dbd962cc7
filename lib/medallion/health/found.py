"""What is found of a pipeline: troubles, and the figures that they are told from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from medallion.audit.margins import Margin
from medallion.check import Check
from medallion.conf import Conf

Kind = Literal["failure", "late", "anomaly"]
Standing = Literal["warn", "red"]


@dataclass(frozen=True)
class Trouble:
    """One thing to look at, and what to do about it.

    ``label`` tells troubles of one kind and subject apart. ``examples`` say where rows came from, and hold nothing of
    what is in them: troubles leave the house as alerts.
    """

    standing: Standing
    subject: str
    what: str
    next: str
    kind: Kind = "failure"
    label: str = ""
    rows: int | None = None
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class Backlog:
    """What landed and no run has taken in yet; ``since`` is when the oldest of it did."""

    source: str
    deliveries: int
    since: str


@dataclass(frozen=True)
class Behind:
    """What a table or a cache has yet to read of one that it follows; ``since`` is when the oldest of it was made.

    ``rows`` are those that came with these versions, as their accounts tell.
    """

    consumer: str
    upstream: str
    versions: int
    rows: int
    since: str


@dataclass(frozen=True)
class Judged:
    """An expectation of time, held against a table as it stands: its freshness or its volume."""

    table: str
    rule: str
    check: Check


@dataclass(frozen=True)
class Score:
    """The newest quality score of a table, 0 to 100, and the median of those before; None where there are none."""

    table: str
    last: float
    before: float | None
    refreshes: int


@dataclass
class Pipeline:
    """One pipeline; ``last_run`` and ``last_passed`` are when those began, None where there was none.

    ``pinned`` pairs runs that are kept whole with until when.
    """

    pipeline: str
    environment: str
    last_run: str | None = None
    last_passed: str | None = None
    backlog: list[Backlog] = field(default_factory=list)
    behind: list[Behind] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    quarantined: int = 0
    waiting: int = 0
    margins: list[Margin] = field(default_factory=list)
    pinned: dict[str, str] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def standing(self) -> str:
        """The worst of what there is: red, warn or ok."""
        found = {trouble.standing for trouble in self.troubles}
        return "red" if "red" in found else "warn" if found else "ok"

    def facts(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        margins = [asdict(one) | {"standing": one.standing} for one in self.margins]
        return asdict(self) | {"standing": self.standing, "margins": margins}


def command(conf: Conf, words: str) -> str:
    """Return a command for a pipeline as it is to be typed, with the environment where that is not the usual one."""
    return f"medallion {words}" + ("" if conf.environment == "dev" else f" environment={conf.environment}")
