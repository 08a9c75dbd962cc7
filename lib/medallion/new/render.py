"""A new table, as `medallion new table` writes it: a module of its kind that works at once, and its test."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from medallion.conf import Source
from medallion.new import table_text
from medallion.new.declared import Declared

_LINE = 120
_LITERALS = {"string": "'a'", "date": "'2026-01-31'", "timestamp": "'2026-01-31 06:00:00'", "boolean": "true"}
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_FIELD = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]|\['([^']+)'\]")
# What the modules below import or define beside the function that has the table's name.
TAKEN = ("job", "table", "blank_to_null")


@dataclass(frozen=True)
class Rendered:
    """The text of a table's module and of its test, which a bronze table has none of; and the table's key."""

    module: str
    test: str | None
    key: tuple[str, ...]


def bronze(name: str) -> Rendered:
    """Return the module of a table that takes in the source of its own name."""
    return Rendered(_filled(table_text.BRONZE, name) + table_text.END, None, ())


def source_entry(name: str) -> str:
    """Return a source of the table's name for conf: JSON events with an id."""
    return _filled(table_text.SOURCE, name, pipeline=name.partition(".")[0])


def silver(name: str, reads: str, source: Source) -> Rendered:
    """Return module and test of a table of one row a business key, as conf says where that stands."""
    is_json = source.format == "json"
    paths = source.key_paths or (["$.id"] if is_json else ["id"])
    key = _key_columns(paths)
    cells = [f'F.get_json_object("payload", {_text(p)})' if is_json else f'F.col("fields")[{_text(p)}]' for p in paths]
    pairs = list(zip(key, cells, strict=True))
    module = _filled(
        table_text.SILVER,
        name,
        reads=reads,
        grain=_listed(key),
        key=_tuple(map(_text, key)),
        columns="\n".join(_column(column, "string", "what tells rows apart, trimmed") for column in key),
        cells="\n".join(f'        blank_to_null({cell}).alias("{column}"),' for column, cell in pairs),
    )
    told = {path: " 1 " for path in paths}
    test = _filled(
        table_text.SILVER_TEST,
        name,
        sent="payload string" if is_json else "fields map<string,string>",
        sound=_text(json.dumps(_nested(told))) if is_json else _plain(told),
        empty='"{}"' if is_json else _plain(dict.fromkeys(paths)),
        quoted=", ".join(map(_text, key)),
        values=_tuple(['"1"'] * len(key)),
        nulls=_tuple(["None"] * len(key)),
    )
    return Rendered(module + table_text.END, test, key)


def aggregate(name: str, reads: Declared) -> Rendered:
    """Return module and test of an aggregate: rows by the first column of a table beside its key."""
    column = reads.told or reads.key[0]
    made = {
        "reads": reads.name,
        "source": reads.short,
        "grain": column,
        "columns": _column(column, *reads.columns[column]),
    }
    test = _filled(table_text.AGGREGATE_TEST, name, rows=_rows([column], reads))
    return Rendered(_filled(table_text.AGGREGATE, name, **made) + table_text.END, test, (column,))


def mart(name: str, reads: Declared) -> Rendered:
    """Return module and test of a mart: one row for each of the driving table's, nothing joined in yet."""
    return _of_function(table_text.MART, name, reads)


def derived(name: str, reads: Declared) -> Rendered:
    """Return module and test of a derived table: the rows of one table, numbered in the order of its key."""
    return _of_function(table_text.DERIVED, name, reads)


def _of_function(template: str, name: str, reads: Declared) -> Rendered:
    told = [*reads.key, *([reads.told] if reads.told else [])]
    module = _filled(
        template,
        name,
        reads=reads.name,
        source=reads.short,
        grain=_listed(reads.key),
        key=_tuple(map(_text, reads.key)),
        columns="\n".join(_column(column, *reads.columns[column]) for column in told),
    )
    imported = ", ".join(sorted([name.rpartition(".")[2], "table"]))
    return Rendered(
        module + table_text.END,
        _filled(table_text.FUNCTION_TEST, name, imported=imported, rows=_rows(told, reads)),
        reads.key,
    )


def _filled(template: str, name: str, **values: str) -> str:
    return Template(template).substitute(name=name, table=name.rpartition(".")[2], **values)


def _column(name: str, type_: str, holds: str) -> str:
    """Return a column's declaration, on several lines where it is too long for one."""
    line = f'        "{name}": ({_text(type_)}, {_text(holds)}),'
    if len(line) <= _LINE:
        return line
    return f'        "{name}": (\n            {_text(type_)},\n            {_text(holds)},\n        ),'


def _rows(columns: Sequence[str], reads: Declared) -> str:
    """Return a query of three rows: two that are equal, and one of nulls."""
    types = [reads.columns[column][0] for column in columns]
    casts = ",\n".join(f"    CAST({c} AS {t}) AS {c}" for c, t in zip(columns, types, strict=True))
    row, nulls = (", ".join(values) for values in (map(_literal, types), ["NULL"] * len(columns)))
    return f"SELECT\n{casts}\nFROM VALUES\n    ({row}),\n    ({row}),\n    ({nulls})\nAS rows({', '.join(columns)})"


def _literal(type_: str) -> str:
    return "1" if type_.partition("(")[0].lower() in _NUMBERS else _LITERALS.get(type_.lower(), "NULL")


def _key_columns(paths: Sequence[str]) -> tuple[str, ...]:
    """Return names of columns for what stands at paths: the last word of a JSON path, or a column's name."""
    ends = [[name or quoted for name, _, quoted in _FIELD.findall(path) if name or quoted] or [path] for path in paths]
    words = [re.sub(r"[^a-z0-9]+", "_", end[-1].lower()).strip("_") or "id" for end in ends]
    names = [word if word[0].isalpha() else f"key_{word}" for word in words]
    return tuple(f"{n}_{i}" if n == "received_at" or names.count(n) > 1 else n for i, n in enumerate(names, start=1))


def _nested(told: dict[str, str]) -> object:
    """Return a document that has values at their JSON paths."""
    found: object = None
    for path, value in told.items():
        steps = [name or quoted or int(number) for name, number, quoted in _FIELD.findall(path)]
        found = _with(found, steps, value)
    return found


def _with(document: object, steps: Sequence[str | int], value: str) -> object:
    if not steps:
        return value
    first, *others = steps
    if isinstance(first, int):
        return [*[None] * first, _with(None, others, value)]
    known = document if isinstance(document, dict) else {}
    return {**known, first: _with(known.get(first), others, value)}


def _plain(cells: dict[str, str] | dict[str, str | None]) -> str:
    return "{" + ", ".join(f"{_text(name)}: {_text(v) if v is not None else None}" for name, v in cells.items()) + "}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _tuple(items: "Sequence[str] | map[str]") -> str:
    found = list(items)
    return f"({', '.join(found)}{',' if len(found) == 1 else ''})"


def _text(value: str) -> str:
    """Return a text as Python writes it, in double quotes where that needs no escapes."""
    return repr(value) if '"' in value and "'" not in value else json.dumps(value, ensure_ascii=False)
