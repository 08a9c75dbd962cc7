"""Where rows of tables are published beside the lake, and at which version they stand there."""

from collections.abc import Collection
from dataclasses import dataclass

from medallion.cache import cached, definitions, place_of
from medallion.step import Run


@dataclass(frozen=True)
class Publication:
    """A store that holds a table's rows: of which version, and since when, ISO 8601 in UTC."""

    table: str
    store: str
    version: int
    at: str

    def __str__(self) -> str:
        """Say so in a line."""
        return f"published: {self.store} holds version {self.version} since {self.at}"


def of(run: Run, tables: Collection[str]) -> list[Publication]:
    """Return the publications of these tables, those that there are."""
    wanted = [name for name in definitions(run.conf, run.tables) if name in tables]
    found = {name: cached(place_of(run.conf, name)) for name in wanted}
    return [Publication(name, "cache", one.version, one.synced_at) for name, one in found.items() if one]
