"""A list of records in one JSON document, as a REST service answers: each as the very text it stands there with."""

import json
import re
from collections.abc import Iterator, Sequence

from medallion.records import Record

_STEP = re.compile(r"\.([A-Za-z_]\w*)|\['([^']+)'\]")
_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def elements(text: str, path: str) -> Iterator[Record]:
    """Yield each element of the list at a path (``$`` is all of the document), its position counted from 1.

    A document that is no JSON, or has no list there, is one record with that as its problem.
    """
    names = [name or quoted for name, quoted in _STEP.findall(path)]
    try:
        spans = list(_spans(text, _found(text, names)))
    except (ValueError, RecursionError):
        yield Record(text, 1, problem=f"no list of records at {path}")
        return
    for position, (start, end) in enumerate(spans, start=1):
        yield Record(text[start:end], position)


def _found(text: str, names: Sequence[str]) -> int:
    """Return where the value behind names begins, from the outermost object inwards; raises ValueError."""
    _DECODER.decode(text)  # all of it must be JSON: half an answer must not pass for a whole one
    place = _skip(text, 0)
    for name in names:
        place = dict(_members(text, place))[name] if name in dict(_members(text, place)) else _absent(name)
    return place


def _absent(name: str) -> int:
    raise ValueError(name)


def _members(text: str, place: int) -> Iterator[tuple[str, int]]:
    """Yield names and places of an object's values."""
    if text[place] != "{":
        raise ValueError("no object")
    place = _skip(text, place + 1)
    while text[place] != "}":
        name, place = _DECODER.raw_decode(text, place)
        place = _skip(text, _skip(text, place) + 1)
        yield name, place
        _, place = _DECODER.raw_decode(text, place)
        place = _skip(text, place)
        place = _skip(text, place + 1) if text[place] == "," else place


def _spans(text: str, place: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each element of the list that begins at a place."""
    if text[place] != "[":
        raise ValueError("no list")
    place = _skip(text, place + 1)
    while text[place] != "]":
        _, end = _DECODER.raw_decode(text, place)
        yield place, end
        place = _skip(text, end)
        place = _skip(text, place + 1) if text[place] == "," else place


def _skip(text: str, place: int) -> int:
    blank = _BLANKS.match(text, place)
    return blank.end() if blank else place
