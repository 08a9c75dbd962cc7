"""Conf as frozen models, and what is wrong with it as sentences: key, found, wanted.

A field's description is what its errors say is wanted, so every field has one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from medallion.errors import EXAMPLES, ConfError

Key = tuple[str | int, ...]


class Strict(BaseModel):
    """A part of conf: frozen, no unknown keys, no values bent into another type, no values in its errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


Model = TypeVar("Model", bound=Strict)


class Problem(NamedTuple):
    """One thing wrong in conf: at which key, and what was found and wanted there."""

    key: Key
    what: str


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise ValueError("wanted a name of a-z, 0-9 and _ that begins with a letter")
    return text


Name = Annotated[str, AfterValidator(_name)]
Refresh = Literal["auto", "incremental", "full"]  # how gold is refreshed: the cheaper way, or only the one


def validated(
    model: type[Model], raw: Mapping[str, Any], where: Callable[[Key], str], known: Sequence[Problem] = ()
) -> Model:
    """Return raw as a model, or raise ConfError listing at most five problems, those already known first.

    ``where`` names the file, or the command line, that a key comes from.
    """
    found = list(known)
    told = {problem.key for problem in known}
    try:
        made = model.model_validate(raw)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            key = tuple(part for part in details["loc"] if part != "[key]")
            covered = any(key[: len(other)] == other for other in told)
            if not covered and details["type"] != "default_factory_not_called":
                found.append(Problem(key, _what(model, key, details)))
    if found:
        raise ConfError(listing([f"{where(key)}: {_joined(key)}{what}" for key, what in found]))
    return made


def listing(problems: Sequence[str]) -> str:
    """Return problems as one message, one a line, at most five of them."""
    more = [f"and {len(problems) - EXAMPLES} more"] if len(problems) > EXAMPLES else []
    return "\n".join([*problems[:EXAMPLES], *more])


def _joined(key: Key) -> str:
    """Return a key as it is written; of ``name:value``, a blank forgotten, only the name."""
    return ".".join(str(part).partition(":")[0] for part in key) + ": " if key else ""


def _what(model: type[Strict], key: Key, details: ErrorDetails) -> str:
    wanted = _description(model, key) or details["msg"].removeprefix("Input should be ")
    match details["type"]:
        case "missing":
            return f"missing; wanted {wanted}"
        case "extra_forbidden":
            owner = _walk(model, key[:-1])[0]
            return f"unknown key; wanted one of {', '.join(sorted(owner.model_fields))}"
        case "value_error":
            return str(details["ctx"]["error"])
        case "model_type" | "dict_type" | "tuple_type":  # what stands in place of a map may be a secret
            value = details["input"]
            return f"found {'text' if isinstance(value, str) else _shown(value)}; wanted {wanted}"
        case _:
            return f"found {_shown(details['input'])}; wanted {wanted}"


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    return repr(value if not isinstance(value, str) or len(value) <= 40 else value[:40] + "...")


def _description(model: type[Strict], key: Key) -> str | None:
    info = _walk(model, key)[1]
    return info.description if info else None


def _walk(model: type[Strict], key: Key) -> tuple[Any, FieldInfo | None]:
    """Return the type that stands at a key, and the last field on the way there."""
    kind: Any = model
    info: FieldInfo | None = None
    for part in key:
        if isinstance(kind, type) and issubclass(kind, Strict):
            info = kind.model_fields.get(str(part))
            kind = info.annotation if info else None
        else:
            inner = get_args(kind)  # of a map the type of its values, of a list that of its items
            kind = inner[1 if get_origin(kind) is dict else 0] if inner else None
        kind = _bare(kind)
    return kind, info


def _bare(kind: Any) -> Any:
    """Return a type without ``Annotated`` and ``| None``."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return _bare(next(arg for arg in get_args(kind) if arg is not NoneType))
    return kind
