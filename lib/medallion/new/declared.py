"""What a table's module declares, read from its text: no module is imported, and so no Spark.

Only what is written out is seen: a key, and columns by name; what comes by ``**`` is passed over.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medallion import syntax
from medallion.errors import ConfError


@dataclass(frozen=True)
class Declared:
    """A table that another is to read: its full name, its key and its columns, name to type and what it holds."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, tuple[str, str]]

    @property
    def short(self) -> str:
        """The last word of its name."""
        return self.name.rpartition(".")[2]

    @property
    def told(self) -> str | None:
        """The first column of a plain type beside its key; None where there is none."""
        plain = (name for name, (type_, _) in self.columns.items() if "<" not in type_ and name not in self.key)
        return next(plain, None)


def declared(project: Path, name: str) -> Declared:
    """Return what a silver or gold table declares; raises ConfError where its text does not tell key or types."""
    path = project.joinpath("jobs", *name.split(".")).with_suffix(".py")
    facts = _facts(path)
    columns = {
        column: (told[0], told[1])
        for column, value in _pairs(facts.get("columns"))
        if isinstance(told := _literal(value), tuple) and len(told) == 2
    }
    key = _literal(facts.get("key")) or tuple(column for column, _ in _pairs(facts.get("dimensions")))
    if not isinstance(key, tuple) or not key or not all(column in columns for column in key):
        raise ConfError(
            f"{path.relative_to(project)}: its key, or the type of a key column, is not written out in `table = ...`; "
            "wanted another table to read (--reads)"
        )
    return Declared(name, tuple(str(column) for column in key), columns)


def _facts(path: Path) -> Mapping[str, ast.expr]:
    """Return the arguments of the module's declaration, by keyword."""
    try:
        tree = syntax.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise ConfError(f"{path}: cannot be read as a table's module: {type(error).__name__}") from None
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if [target.id for target in node.targets if isinstance(target, ast.Name)] == ["table"]:
                return {keyword.arg: keyword.value for keyword in node.value.keywords if keyword.arg}
    return {}


def _pairs(node: ast.expr | None) -> list[tuple[str, ast.expr]]:
    if not isinstance(node, ast.Dict):
        return []
    pairs = zip(node.keys, node.values, strict=True)
    return [(key.value, value) for key, value in pairs if isinstance(key, ast.Constant) and isinstance(key.value, str)]


def _literal(node: ast.expr | None) -> object:
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None
