"""What an intake works with, and what it leaves behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medallion.conf import Connection, Source
from medallion.lake import State
from medallion.landing import Landing, Manifest

Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What an intake works with: its source, where that is, where it publishes, and how far it was read."""

    name: str
    source: Source
    connection: Connection
    landing: Landing
    cursor: Mapping[str, Any]
    bronze: State | None
    project: Path
    say: Say


@dataclass
class Taken:
    """What an intake published, and what a person should know besides."""

    manifests: list[Manifest] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
