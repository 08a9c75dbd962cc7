"""The version of this program and of what it stands on."""

import platform
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PACKAGES = {
    "medallion": "medallion-lakehouse",
    "pyspark": "pyspark",
    "delta-spark": "delta-spark",
    "deltalake": "deltalake",
    "prefect": "prefect",
}


@dataclass(frozen=True)
class Versions:
    """Names and versions."""

    packages: dict[str, str]

    def facts(self) -> dict[str, str]:
        """Return what `--json` prints."""
        return self.packages

    def render(self, console: "Console") -> None:
        """Print a line a package."""
        for name, number in self.packages.items():
            console.print(f"{name:12} {number}")


def of() -> Versions:
    """Return versions; "not installed" for what runs from a checkout, or is not there."""
    found = {name: _version(package) for name, package in _PACKAGES.items()}
    return Versions({**found, "python": platform.python_version()})


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
