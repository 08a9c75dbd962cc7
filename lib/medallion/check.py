"""What an expectation found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """An expectation's result on one version of a table; ``stops`` if it keeps the table from advancing.

    ``said`` is what it found in words, where a count of rows would not say it.
    """

    label: str
    severity: str
    failed: int
    total: int
    passed: bool
    example: str | None = None
    stops: bool = False
    said: str | None = None

    @property
    def shown(self) -> str | None:
        """What it found in words, else an example."""
        return self.said or self.example
