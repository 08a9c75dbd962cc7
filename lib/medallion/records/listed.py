"""A list of records in one JSON document, as a REST service answers: each as the very text it stands there with."""

import json
import re
from collections.abc import Iterator, Sequence

from medallion.records.identity import steps_of
from medallion.records.record import Record

_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def elements(text: str, path: str) -> Iterator[Record]:
    """Yield each element of the list at a path (``$`` is all of the document), its position counted from 1.

    A document that is no JSON, or has no list there, is one record with that as its problem.
    """
    try:
        spans = list(_spans(text, _found(text, steps_of(path))))
    except (ValueError, RecursionError):
        yield Record(text, 1, problem=f"no list of records at {path}")
        return
    for position, (start, end) in enumerate(spans, start=1):
        yield Record(text[start:end], position)


def _found(text: str, steps: Sequence[str | int]) -> int:
    """Return where the value behind steps begins, from the outermost object inwards; raises ValueError."""
    _DECODER.decode(text)  # all of it must be JSON: half an answer must not pass for a whole one
    place = _skip(text, 0)
    for step in steps:
        inside = dict(_members(text, place) if isinstance(step, str) else _numbered(text, place))
        if step not in inside:
            raise ValueError(step)
        place = inside[step]
    return place


def _numbered(text: str, place: int) -> Iterator[tuple[str | int, int]]:
    """Yield numbers and places of a list's elements."""
    yield from ((number, start) for number, (start, _) in enumerate(_spans(text, place)))


def _members(text: str, place: int) -> Iterator[tuple[str | int, int]]:
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
