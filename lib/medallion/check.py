"""What an expectation found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """An expectation's result on one version of a table; ``stops`` if it keeps the table from advancing."""

    label: str
    severity: str
    failed: int
    total: int
    passed: bool
    example: str | None = None
    stops: bool = False
