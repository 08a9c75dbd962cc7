"""One record of a file, and how the kinds of files are told."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass

JSON_LINES = (".jsonl", ".ndjson")
ENVELOPES = ".envelopes.jsonl"  # of the receiver: {"id": the event's key, "body": its text}, or body64 for other bytes
EMPTY = "empty"


@dataclass(frozen=True)
class Record:
    """One payload; ``position`` counts from 1 within its file, ``rescued`` are cells of columns not in conf."""

    payload: str
    position: int
    fields: Mapping[str, str | None] | None = None
    rescued: Mapping[str, str | None] | None = None
    event_key: str | None = None
    problem: str | None = None


def is_utf8(encoding: str) -> bool:
    """Tell whether an encoding is UTF-8, whatever name it goes by."""
    return codecs.lookup(encoding).name == "utf-8"
