"""Envelopes of the webhook receiver: a line a payload, with the id that its sender gave it."""

import base64
import binascii
import json
from collections.abc import Iterator

from medallion.records.record import Record


def opened(content: bytes) -> Iterator[Record]:
    """Yield the payload of each envelope with its event's key; what is no envelope is a record with a problem."""
    for position, line in enumerate(content.splitlines(), start=1):
        try:
            envelope = json.loads(line)
            key, body = str(envelope["id"]), envelope.get("body")
            text = body if isinstance(body, str) else _text(base64.b64decode(envelope["body64"], validate=True))
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            yield Record(line.decode(errors="backslashreplace"), position, problem="not an envelope of the receiver")
            continue
        yield Record(text, position, event_key=key)


def _text(body: bytes) -> str:
    """Return a body that is no UTF-8, its foreign bytes as surrogates, which `records` finds and writes out."""
    return body.decode(errors="medallion_undecoded")
