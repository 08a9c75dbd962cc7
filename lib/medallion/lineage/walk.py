"""Ways along column lineage: back to where a column comes from, on to what is made of it, and with personal data."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from medallion.lineage.made import Lineage
from medallion.lineage.value import Field, How
from medallion.tables import Table, layer_of


def origins(lineages: Mapping[str, Lineage], field: Field) -> list[Field]:
    """Return the fields at the source that a column, or what is inside it, is taken or computed from in the end.

    Of one that is in no way computed from others, such as a category by cases, those that decide it.
    """
    found: dict[Field, None] = {}
    waiting, seen = [field], {field}
    while waiting:
        one = waiting.pop(0)
        sources = _sources(lineages, one)
        if sources is None:
            found[one] = None
        for source in sources or ():
            if source not in seen:
                seen.add(source)
                waiting.append(source)
    return [*found]


def _sources(lineages: Mapping[str, Lineage], field: Field) -> list[Field] | None:
    """Return what a field is taken or computed from, or else decided by; None of one that is made of nothing known."""
    lineage = lineages.get(field.table)
    made = lineage.columns.get(field.column) if lineage else None
    if made is None:
        return None
    if made.place is not None and len(field.path) > 1:
        return [made.place.part(*field.path[1:])]
    return made.direct or [*made.sources]


@dataclass(frozen=True)
class Use:
    """A column that a field has its part in, and how."""

    table: str
    column: str
    field: Field
    hows: frozenset[How]


def uses(lineages: Mapping[str, Lineage]) -> dict[tuple[str, str], list[Use]]:
    """Return by table and column what is made of it; ``column`` is empty where it decides which rows a table has."""
    found: dict[tuple[str, str], list[Use]] = defaultdict(list)
    for lineage in lineages.values():
        for column, made in lineage.columns.items():
            for field, hows in made.sources.items():
                found[field.table, field.column].append(Use(lineage.table, column, field, hows))
        for field, hows in lineage.rows.items():
            found[field.table, field.column].append(Use(lineage.table, "", field, hows))
    return found


def personal(tables: Mapping[str, Table], lineages: Mapping[str, Lineage]) -> dict[str, dict[str, str]]:
    """Return by table the columns that hold personal data, with why: ``declared``, or the column or field it shows.

    A count, a comparison or a hash of such a column holds none. Of bronze they are the fields, by their paths, that
    declared columns are taken from. ``tables`` come upstream first.
    """
    found: dict[str, dict[str, str]] = {
        name: dict.fromkeys(table.personal, "declared") for name, table in tables.items()
    }
    for name, table in tables.items():
        for column in table.personal:
            for one in _shown(lineages, name, column):
                if layer_of(one.table) == "bronze":
                    found[one.table].setdefault(one.text, f"{name}.{column}")
    for name, table in tables.items():
        for column in table.columns:
            shown = [one for one in _shown(lineages, name, column) if _name(one) in found[one.table]]
            if shown:
                found[name].setdefault(column, f"{shown[0].table}.{shown[0].text}")
    return found


def _shown(lineages: Mapping[str, Lineage], table: str, column: str) -> list[Field]:
    """Return the fields that show in a column."""
    made = lineages[table].columns.get(column) if table in lineages else None
    return made.telling if made else []


def _name(field: Field) -> str:
    """Return by which name a field's table knows whether it is personal: of bronze its path, else its column."""
    return field.text if layer_of(field.table) == "bronze" else field.column
