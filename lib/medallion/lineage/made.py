"""Column lineage as facts: of each table's columns what they are made of, and what decides which rows it has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from medallion.lineage.plans import Relation
from medallion.lineage.value import Field, How, Sources


@dataclass(frozen=True)
class Made:
    """What a column is made of; ``place`` is the field that it is, unchanged, with all that is inside it."""

    sources: Sources
    place: Field | None = None

    @property
    def direct(self) -> list[Field]:
        """The fields that its value is taken or computed from."""
        return [one for one, hows in self.sources.items() if any(how.is_direct for how in hows)]

    @property
    def telling(self) -> list[Field]:
        """Those of them that show in the value, and are not only counted, compared or hashed."""
        return [f for f, hows in self.sources.items() if any(how.is_direct and not how.masking for how in hows)]


@dataclass(frozen=True)
class Lineage:
    """Of one table; ``problem`` says why nothing is known, None where all is."""

    table: str
    columns: Mapping[str, Made] = field(default_factory=dict)
    rows: Sources = field(default_factory=dict)
    problem: str | None = None

    @classmethod
    def of(cls, table: str, found: Relation) -> "Lineage":
        """Return the lineage that an analysed plan tells; what a value is taken from need not be told to decide it."""
        made = {one.name: Made(_plain(one.value.sources), one.value.place) for one in found.columns}
        return cls(table, made, found.rows)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        columns = {name: [_listed(one.sources), one.place and [*one.place]] for name, one in self.columns.items()}
        return {"columns": columns, "rows": _listed(self.rows), "problem": self.problem}

    @classmethod
    def from_json(cls, table: str, told: Mapping[str, Any]) -> "Lineage":
        """Return what `to_json` told."""
        columns = {
            name: Made(_sources(sources), Field(place[0], tuple(place[1])) if place else None)
            for name, (sources, place) in told["columns"].items()
        }
        return cls(table, columns, _sources(told["rows"]), told["problem"])


def _plain(sources: Sources) -> Sources:
    """Return sources without what is said better: a field that shows is not only counted, nor does it only decide."""
    found: dict[Field, frozenset[How]] = {}
    for one, hows in sources.items():
        direct = frozenset(how for how in hows if how.is_direct)
        found[one] = frozenset(how for how in direct if not how.masking) or direct or hows
    return found


def _listed(sources: Sources) -> list[Any]:
    return [[one.table, [*one.path], sorted([*how] for how in hows)] for one, hows in sources.items()]


def _sources(listed: Iterable[Any]) -> Sources:
    return {Field(table, tuple(path)): frozenset(How(*how) for how in hows) for table, path, hows in listed}
