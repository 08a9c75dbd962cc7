"""A file as records: what a record is depends on the file.

All of a ``.json`` file, or each of a list in it; a line of a ``.jsonl`` file; what a line of a ``.envelopes.jsonl``
file holds; a row of a csv or Parquet file.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from medallion.conf import Source
from medallion.records.layout import Layout, layout
from medallion.records.record import EMPTY, ENVELOPES, JSON_LINES, Record, is_utf8

# One csv cell may be as large as a payload may; Python's default would stop at 128 KiB.
csv.field_size_limit(2**31 - 1)

# Bytes that are no text come through decoding as surrogates, which no text holds, so that one of them
# spoils its own record only, and different ones stay different.
_SURROGATES = 0xDC00
_HAS_UNDECODED = re.compile("[\udc00-\udcff]")
_UNDECODED = "medallion_undecoded"


def _as_surrogates(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_SURROGATES + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_UNDECODED, _as_surrogates)


def records(content: bytes, name: str, source: Source) -> Iterator[Record]:
    """Yield the records of one file; a payload that cannot be what it should be is marked, never dropped."""
    if source.format == "parquet":
        from medallion.records.parquet import rows

        found = rows(content, source)
    elif name.endswith(ENVELOPES):
        from medallion.records.envelopes import opened

        found = opened(content)
    else:
        text = content.decode("utf-8-sig" if is_utf8(source.encoding) else source.encoding, errors=_UNDECODED)
        found = _of_text(text, name, source)
    for record in found:
        yield _checked(record, source)


def _of_text(text: str, name: str, source: Source) -> Iterator[Record]:
    if source.format == "csv":
        return _csv_rows(text, source)
    if name.endswith(JSON_LINES):
        lines = text.removesuffix("\n").split("\n") if text else []
        return (Record(line.removesuffix("\r"), position) for position, line in enumerate(lines, start=1))
    if source.records is not None:
        from medallion.records.listed import elements

        return elements(text, source.records)
    return iter([Record(text, 1)])


def _checked(record: Record, source: Source) -> Record:
    """Mark a record that is no text, empty or too large; undecoded bytes are written out as ``\\xff``."""
    if _HAS_UNDECODED.search(record.payload):
        shown = _HAS_UNDECODED.sub(lambda found: f"\\x{ord(found[0]) - _SURROGATES:02x}", record.payload)
        told = record.problem or f"not {source.encoding}"
        return Record(shown, record.position, event_key=record.event_key, problem=told)
    size = len(record.payload.encode())
    problem = record.problem
    if problem is None and record.fields is None and not record.payload.strip():
        problem = EMPTY
    elif problem is None and size > source.max_bytes:
        problem = f"too large: {size} bytes, at most {source.max_bytes}"
    return replace(record, problem=problem)


def _csv_rows(text: str, source: Source) -> Iterator[Record]:
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, strict=True)
    found: Layout | None = None
    start = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record("".join(lines[start:]), start + 1, problem=f"not csv: {error}")
            return
        raw, position, start = "".join(lines[start : reader.line_num]), start + 1, reader.line_num
        if not cells:
            continue
        if found is None:
            found = layout(cells, source)
            continue
        fields, rescued = (None, None) if found.unusable else found.split(cells)
        told = found.unusable or _ragged(found, cells)
        yield Record(raw.rstrip("\r\n"), position, fields, rescued, problem=told)


def _ragged(found: Layout, cells: Sequence[str]) -> str | None:
    ragged = len(cells) != len(found.names)
    return f"ragged: {len(cells)} cells under a header of {len(found.names)}" if ragged else None
