"""What is looked at in a payload while its sender waits: its kind, its depth, and what its contract misses in it.

Only kind and depth refuse it. What else is wrong is told in the answer; bronze keeps the payload all the same.
"""

import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from medallion.conf import Conf
from medallion.errors import EXAMPLES, DeclarationError
from medallion.records.identity import NO_OBJECT, json_object

if TYPE_CHECKING:
    from pydantic import BaseModel

_JSON = re.compile(r"application/([a-z0-9!#$&^_.-]+\+)?json")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]*)')
# A string that does not end takes the rest of the bytes; a backslash may be the last of them.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = frozenset(b"[{")


def is_json(content_type: str) -> bool:
    """Tell whether a content type is JSON in UTF-8: application/json, or another that ends in +json."""
    kind, _, _ = content_type.partition(";")
    charset = _CHARSET.search(content_type.lower())
    return _JSON.fullmatch(kind.strip().lower()) is not None and (charset is None or charset[1] in ("utf-8", "utf8"))


def is_too_deep(body: bytes, most: int) -> bool:
    """Tell whether brackets outside of strings are nested deeper than so many levels, in JSON or what may be it."""
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    if brackets.count(b"[") + brackets.count(b"{") <= most:
        return False
    depth = 0
    for bracket in brackets:
        if bracket in _OPENING:
            depth += 1
            if depth > most:
                return True
        elif depth:
            depth -= 1
    return False


class Contract:
    """What a source's payloads should look like, by a pydantic model; it only tells."""

    def __init__(self, model: "type[BaseModel]") -> None:
        from pydantic.errors import PydanticInvalidForJsonSchema

        self._model = model
        try:
            self._names = frozenset(_names(model.model_json_schema()))
        except PydanticInvalidForJsonSchema:
            self._names = frozenset(model.model_fields)

    def misses(self, body: bytes) -> list[str]:
        """Return at most five things that a payload lacks or has wrong, with no name or value that it brought along."""
        from pydantic import ValidationError

        try:
            self._model.model_validate_json(body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            # The name of the error only: pydantic's messages may quote the payload.
            told = dict.fromkeys(f"{self._place(one['loc'])}: {one['type'].replace('_', ' ')}" for one in found)
            return list(told)[:EXAMPLES]
        except Exception as error:  # noqa: BLE001 - of a validator of the project's own; the payload is stored
            return [f"the contract could not judge it: {type(error).__name__}"]
        return []

    def _place(self, path: tuple[str | int, ...]) -> str:
        """Return where something stands; a name that the contract does not know may be personal, and is a star."""
        known = [str(step) if isinstance(step, int) or step in self._names else "*" for step in path]
        return ".".join(known) or "payload"


def problems(body: bytes, contract: Contract | None) -> list[str]:
    """Return what bronze will find wrong with a payload, or else what its contract misses; at most five things."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ["not utf-8"]
    if not text.strip():
        return ["empty"]
    if json_object(body) is None:
        return [NO_OBJECT]
    return contract.misses(body) if contract is not None else []


def contracts(conf: Conf) -> dict[str, Contract]:
    """Return the contracts of a pipeline by source: RECORDS of jobs/<pipeline>/contract.py, nothing without that.

    Raises DeclarationError for a module that does not say what is wanted.
    """
    from pydantic import BaseModel

    where = f"jobs/{conf.name}/contract.py"
    records = _records(conf, where)
    if not isinstance(records, Mapping):
        raise DeclarationError(f"{where}: found no RECORDS; wanted a map of names of sources to pydantic models")
    for name, model in records.items():
        if name not in conf.pipeline.sources:
            raise DeclarationError(
                f"{where}: RECORDS: found {name!r}; wanted one of {', '.join(conf.pipeline.sources)}"
            )
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise DeclarationError(f"{where}: RECORDS[{name!r}]: wanted a pydantic model")
    return {name: Contract(model) for name, model in records.items()}


def _records(conf: Conf, where: str) -> Any:
    if not (conf.project / where).is_file():
        return {}
    if str(conf.project) not in sys.path:
        sys.path.insert(0, str(conf.project))
    try:
        module = importlib.import_module(f"jobs.{conf.name}.contract")
    except (SyntaxError, ImportError) as error:
        raise DeclarationError(f"{where}: cannot be imported: {error}") from error
    return getattr(module, "RECORDS", None)


def _names(schema: Any) -> Iterator[str]:
    """Yield the names of fields at any depth of a JSON schema."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            yield from properties
        for part in schema.values():
            yield from _names(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _names(part)
