"""What every step works with, and what it leaves behind."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from medallion.check import Check
from medallion.conf import Conf
from medallion.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.tables import Table

Status = Literal["done", "skipped", "failed", "blocked"]


@dataclass(frozen=True)
class Asked:
    """What a run is asked for besides what is new, or short of it; nothing of an ordinary one.

    ``quarantined`` judges again what is in quarantine or waits; ``records`` are ids that the tables of ``tables`` judge
    again, with nothing new. ``until`` is the version of an upstream table that a table goes to, by the table's name.
    """

    quarantined: bool = False
    records: tuple[str, ...] = ()
    tables: frozenset[str] = frozenset()
    until: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One execution of a pipeline's graph: what is the same for all of its steps."""

    conf: Conf
    lake: Lake
    run_id: str
    run_date: dt.date
    tables: Mapping[str, "Table"]
    asked: Asked = Asked()


@dataclass(frozen=True)
class Step:
    """One table's turn in a run; a step that finds nothing to do never asks for its session."""

    run: Run
    table: "Table"
    open_session: "Callable[[], SparkSession]"

    @cached_property
    def session(self) -> "SparkSession":
        """A Spark session of the step's own."""
        return self.open_session()

    @property
    def name(self) -> str:
        """The table's full name."""
        return self.table.name

    @property
    def lake(self) -> Lake:
        """The tables of the pipeline."""
        return self.run.lake

    def parameters(self) -> dict[str, Any]:
        """Return what the table's functions take by keyword."""
        return parameters(self.run, self.table)


@dataclass
class Outcome:
    """What a step did, for reports; ``rows`` are the terms of its accounting equation."""

    table: str
    status: Status
    technique: str = ""
    reason: str = ""
    version: int | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None
    score: float | None = None


def parameters(run: Run, table: "Table") -> dict[str, Any]:
    """Return the values of the parameters that a table's functions take: the pipeline's, and the run's date."""
    given = {**run.conf.pipeline.parameters, "run_date": run.run_date}
    return {name: given[name] for name in table.parameters}
