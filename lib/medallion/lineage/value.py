"""What a column's value is made of: fields of other tables, and how each has its part in it.

In the words of OpenLineage's column lineage facet (https://openlineage.io/docs/spec/facets/dataset-facets/
column_lineage_facet): DIRECT if the value is taken or computed from the field, INDIRECT if the field only decides
which value it is, or which rows there are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

ELEMENT = "[]"  # in a path: any element of an array

Subtype = Literal[
    "IDENTITY", "TRANSFORMATION", "AGGREGATION", "CONDITIONAL", "WINDOW", "FILTER", "JOIN", "GROUP_BY", "SORT"
]
_DIRECT: tuple[Subtype, ...] = ("IDENTITY", "TRANSFORMATION", "AGGREGATION")  # what is done last counts, if it is more


class Field(NamedTuple):
    """A field of a table: its column, and the way to a part of it, such as ``payload``, ``customer``, ``id``."""

    table: str
    path: tuple[str, ...]

    @property
    def column(self) -> str:
        """The column that it is, or is a part of."""
        return self.path[0]

    @property
    def text(self) -> str:
        """The path as it is written: ``line_items[].price``."""
        return ".".join(self.path).replace(f".{ELEMENT}", ELEMENT)

    def part(self, *names: str) -> "Field":
        """Return a field inside it."""
        return Field(self.table, (*self.path, *names))

    def is_within(self, other: "Field") -> bool:
        """Tell whether it is another field or a part of it."""
        return self.table == other.table and self.path[: len(other.path)] == other.path


class How(NamedTuple):
    """How a field has its part in a value; ``masking`` if the value tells something of it, but not what it is."""

    subtype: Subtype
    masking: bool = False

    @property
    def is_direct(self) -> bool:
        """Whether the value is taken or computed from the field."""
        return self.subtype in _DIRECT


Sources = Mapping[Field, frozenset[How]]


@dataclass(frozen=True)
class Value:
    """What a value is made of.

    ``place`` is the field that it is, unchanged; then what is inside it is inside that field. ``parts`` are the values
    in a struct by name, or of an array's elements by `ELEMENT`, where an expression put it together. ``is_null`` if it
    is always null.
    """

    sources: Sources = field(default_factory=dict)
    place: Field | None = None
    parts: Mapping[str, "Value"] = field(default_factory=dict)
    is_null: bool = False

    def through(self, subtype: Subtype, *, masking: bool = False) -> "Value":
        """Return what is computed from the value; a subtype of an indirect part: what the value decides."""
        return Value(
            {f: frozenset(_through(how, subtype, masking) for how in hows) for f, hows in self.sources.items()}
        )

    def part(self, name: str) -> "Value":
        """Return what is inside the value under a name."""
        if name in self.parts:
            return self.parts[name]
        if self.place is None:
            return self.through("TRANSFORMATION")
        inside = self.place.part(name)
        beside = {f: kept for f, hows in self.sources.items() if (kept := _indirect(hows)) and not inside.is_within(f)}
        return replace(of_field(inside), sources={**beside, inside: frozenset({How("IDENTITY")})})


CONSTANT = Value()
NULL = Value(is_null=True)


def of_field(one: Field) -> Value:
    """Return the value that a field is."""
    return Value({one: frozenset({How("IDENTITY")})}, place=one)


def together(*sources: Sources) -> dict[Field, frozenset[How]]:
    """Return all of these sources."""
    found: dict[Field, frozenset[How]] = {}
    for one in sources:
        for place, hows in one.items():
            found[place] = found.get(place, frozenset()) | hows
    return found


def either(values: Iterable[Value]) -> Value:
    """Return what is one of these values or another: a field, or null, stays that field."""
    told = [value for value in values if not value.is_null]
    if not told:
        return NULL
    places = {value.place for value in told}
    is_one = len(places) == 1
    sources = together(
        *[(value if is_one or value.parts else value.through("TRANSFORMATION")).sources for value in told]
    )
    names = [name for name in told[0].parts if all(name in value.parts for value in told)]
    parts = {name: either([value.parts[name] for value in told]) for name in names}
    return Value(sources, places.pop() if is_one else None, parts)


def computed(values: Iterable[Value], subtype: Subtype = "TRANSFORMATION", *, masking: bool = False) -> Value:
    """Return what is computed from all of these values."""
    return Value(together(*[value.through(subtype, masking=masking).sources for value in values]))


def beside(value: Value, *deciding: Value) -> Value:
    """Return a value with what else has a part in it; its parts are not told of that, they are as they were."""
    told = together(value.sources, *[one.sources for one in deciding])
    parts = {name: beside(part, *deciding) for name, part in value.parts.items()}
    return Value(told, value.place, parts)


def _through(how: How, subtype: Subtype, masking: bool) -> How:
    if not how.is_direct:
        return how
    if subtype not in _DIRECT:
        return How(subtype)
    return How(max(how.subtype, subtype, key=_DIRECT.index), how.masking or masking)


def _indirect(hows: Iterable[How]) -> frozenset[How]:
    return frozenset(how for how in hows if not how.is_direct)
