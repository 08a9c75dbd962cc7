"""Errors a person can act on: where, found, wanted, what to do."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion.check import Check

EXAMPLES = 5


class LakehouseError(Exception):
    """Anything the engine refuses or cannot do; its message is meant for the person at the keyboard."""


class ConfError(LakehouseError):
    """Conf or a command line that cannot be used; nothing was written."""


class DeclarationError(ConfError):
    """A table module that does not say what the engine needs, or says it wrongly."""


class GraphError(DeclarationError):
    """Tables that read something unknown, undeclared or each other."""


class ContractError(LakehouseError):
    """A transform's output that differs from the columns its table declares."""


class QualityError(LakehouseError):
    """Expectations of severity fail that were not met; the table keeps its last good version.

    ``checks`` are the results that were known by then.
    """

    def __init__(self, message: str, checks: "Iterable[Check]" = ()) -> None:
        super().__init__(message)
        self.checks = list(checks)


class RefreshError(LakehouseError):
    """A refresh in full that is due, of a table for which conf says that it is not to be paid for by itself."""


class IntakeError(LakehouseError):
    """A source that cannot be reached or read; what was published before stays, and the next run asks again."""


class LockedError(LakehouseError):
    """Another process writes this table."""


class CommitError(LakehouseError):
    """A commit that did not end up as ours: skipped, lost, or overtaken by another writer."""


class HistoryError(LakehouseError):
    """A table's history is not what the engine left: restored, recreated or written by hand."""


class LandingError(LakehouseError):
    """Landing files that differ from their manifest, or a delivery that cannot be published."""


class StorageError(LakehouseError):
    """A disk that is full or may not be written, where that is told before or after the work on tables."""


class SetupError(LakehouseError):
    """Something the machine lacks: Java, Delta's JARs, a master to connect to."""


def some(values: Iterable[object]) -> str:
    """Return at most five of the values for a message, and how many there are besides."""
    found = list(values)
    shown = ", ".join(str(value) for value in found[:EXAMPLES])
    return f"{shown} and {len(found) - EXAMPLES} more" if len(found) > EXAMPLES else shown
