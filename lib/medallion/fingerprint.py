"""A hash of what decides a table's rows: a changed one makes the next refresh a full one.

Covers the functions' syntax trees and those of the project's functions and constants that they use, the
declared facts, the parameters taken, the upstream columns and the expectations that reject rows; not
docstrings, comments, schedules or thresholds of warnings.
"""

import ast
import builtins
import hashlib
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from types import ModuleType
from typing import Any

from medallion import syntax
from medallion.conf import Expectation
from medallion.tables import Silver, Table

_NOT_FACTS = {"columns", "personal", "function", "enrichment", "name", "doc"}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_OURS = ("jobs", "medallion", "__main__")
_UNSTEADY = (
    "rand|randn|random|randstr|uniform|uuid|uuid4|shuffle|now|today|utcnow|localtimestamp|curdate|current_date|"
    "current_timestamp|monotonically_increasing_id|spark_partition_id|input_file_name"
)
_NAMED = re.compile(rf"(?:attr|id)='({_UNSTEADY})'")  # in a syntax tree
_CALLED = re.compile(rf"\b({_UNSTEADY})\s*\(", re.IGNORECASE)  # in SQL


def fingerprint(
    table: Table,
    parameters: Mapping[str, Any],
    expectations: tuple[Expectation, ...],
    upstream: Mapping[str, str],
) -> str:
    """Return the fingerprint of a table; ``upstream`` pairs table names with their columns as text.

    The run's date is an input with a value of its own in the watermark, so it is left out here.
    """
    facts = {f.name: _plain(getattr(table, f.name)) for f in fields(table) if f.name not in _NOT_FACTS}
    functions = [table.function, table.enrichment if isinstance(table, Silver) else None]
    rejecting = [checked(e) for e in expectations if e.severity == "quarantine"]
    content = {
        "kind": type(table).__name__,
        "facts": facts,
        "columns": {name: type_ for name, (type_, _) in table.columns.items()},
        "code": [_code(function) for function in functions if function],
        "parameters": {name: value for name, value in parameters.items() if name != "run_date"},
        "rejecting": rejecting,
        "upstream": dict(upstream),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def unsteady(table: Table) -> str | None:
    """Return what in a table's definition gives another result each time that it is evaluated; None without such."""
    code = [text for function in [table.function] if function for text in _code(function).values()]
    expressions = json.dumps([_plain(getattr(table, f.name)) for f in fields(table) if f.name not in _NOT_FACTS])
    called = [_NAMED.search(text) for text in code] + [_CALLED.search(text) for text in [*code, expressions]]
    return next((found[1] for found in called if found), None)


def checked(expectation: Expectation) -> dict[str, Any]:
    """Return what an expectation checks, without its words for people."""
    return expectation.model_dump(mode="json", exclude={"description", "tolerance", "by"})


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def _code(function: Callable[..., Any]) -> dict[str, str]:
    """Return the syntax tree of a function and of every function or constant of ours that it reaches."""
    found: dict[str, str] = {}
    _reach(function, found)
    return found


def _reach(function: Callable[..., Any], found: dict[str, str]) -> None:
    place = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
    if place in found:
        return
    tree = syntax.parse(textwrap.dedent(inspect.getsource(function)))
    found[place] = ast.dump(_without_words(tree))
    for name, value in _names(tree, function):
        if inspect.isfunction(inspect.unwrap(value)) and _is_ours(value):
            _reach(inspect.unwrap(value), found)
        elif not callable(value) and not isinstance(value, ModuleType):
            found[f"{place}:{name}"] = _told(value)


def _names(tree: ast.AST, function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """Return the globals that a function's code uses: by name, or as an attribute of one of our modules."""
    space = function.__globals__
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in space and not hasattr(builtins, node.id):
            found[node.id] = space[node.id]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = space.get(node.value.id)
            if isinstance(module, ModuleType) and _is_ours(module):
                found[f"{node.value.id}.{node.attr}"] = getattr(module, node.attr, None)
    return [(name, value) for name, value in found.items() if value is not function]


def _told(value: Any) -> str:
    """Return a constant as text that is the same in every process: sets in order, no addresses."""
    if isinstance(value, Mapping):
        return str([(_told(key), _told(item)) for key, item in value.items()])
    if isinstance(value, set | frozenset):
        return str(sorted(_told(item) for item in value))
    if isinstance(value, list | tuple):
        return str([_told(item) for item in value])
    return _ADDRESS.sub("", repr(value))


def _is_ours(value: Any) -> bool:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return str(name).partition(".")[0] in _OURS


def _without_words(tree: ast.Module) -> ast.Module:
    """Drop docstrings and decorators, which say nothing of the rows."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = []
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return tree
