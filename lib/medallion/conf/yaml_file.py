"""Conf files as plain YAML: what ``yaml.safe_load`` reads, less what misleads.

Duplicate keys, keys that are no text, anchors, aliases and tags are refused, and dates stay text.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from medallion.errors import ConfError


class _RefusedError(yaml.MarkedYAMLError):
    """Thrown for YAML that is read elsewhere but not in conf."""


_MISLEADING = (":timestamp", ":value", ":merge", ":yaml")


class _Loader(yaml.SafeLoader):
    """A SafeLoader for conf: see the module's first lines."""

    # Without these, 2026-01-31, =, << and a lone & in an override are plain text.
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to configure a loader
        first: [(tag, form) for tag, form in pairs if not tag.endswith(_MISLEADING)]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        is_decorated = getattr(event, "anchor", None) or getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or is_decorated:
            problem = "anchors (&), aliases (*) and tags (!) are not read; write the value out, or quote it"
            raise _RefusedError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _RefusedError(problem="a key must be text; quote it", problem_mark=key_node.start_mark)
            if key in mapping:
                raise _RefusedError(
                    problem=f"key {key.partition(':')[0]!r} is there twice", problem_mark=key_node.start_mark
                )
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


def read_yaml(path: Path, shown: str) -> dict[str, Any]:
    """Return the map a file holds; raise ConfError with line and column where it is no YAML map."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfError(f"{shown}: cannot be read as UTF-8 text: {type(error).__name__}") from None
    loaded = parse_yaml(text, shown)
    if not isinstance(loaded, dict):
        raise ConfError(f"{shown}: found no map; wanted a map of keys")
    return loaded


def parse_yaml(text: str, shown: str) -> Any:
    """Return what YAML text holds; raise ConfError that says where it stops being that, unquoted."""
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"{shown}: line {line}: found a control character; wanted plain text"
    except yaml.MarkedYAMLError as error:
        problem = f"{shown}: {_place(error)}{_unquoted(error)}"
    except (ValueError, OverflowError, RecursionError):  # 0b_, thousands of digits or brackets
        problem = f"{shown}: found a number or a nesting that cannot be read; quote it if it is text"
    raise ConfError(problem)


def parse_scalar(text: str, shown: str) -> Any:
    """Return one value as YAML reads it: lists, maps and quoted text in full, all else as a plain scalar."""
    text = text.strip()
    if text[:1] in ("[", "{", '"', "'"):
        return parse_yaml(text, shown)
    loader = _Loader("")
    tag = loader.resolve(ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    try:
        return loader.construct_document(ScalarNode(tag, text))
    except (ValueError, OverflowError):
        raise ConfError(f"{shown}: found a number that cannot be read; quote it if it is text") from None


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _unquoted(error: yaml.MarkedYAMLError) -> str:
    """Return what PyYAML found, without words of the file: they may be a secret."""
    problem = error.problem or "not YAML"
    return problem if isinstance(error, _RefusedError) else re.sub(r"(['\"])(?!<).{3,}\1", "text", problem)
