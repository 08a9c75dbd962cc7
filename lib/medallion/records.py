"""Deliveries as records: one row a payload, exactly as received, with its place and what is wrong with it.

Reading is done on the driver: thousands of small webhook files are read in well under a second, where a
Spark job would list each; and large plain ones by the column (`plain`). What a record is depends on the
file: all of a ``.json`` file, or each of a list in it; a line of a ``.jsonl`` file; what a line of a
``.envelopes.jsonl`` file holds; a row of a csv or Parquet file. ``.gz`` and ``.zip`` are unpacked first.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from medallion.conf import Source
from medallion.errors import LandingError
from medallion.landing import Landing, Manifest
from medallion.layout import Layout, layout
from medallion.packed import PackedError, unpacked

if TYPE_CHECKING:
    import pyarrow as pa

# One csv cell may be as large as a payload may; Python's default would stop at 128 KiB.
csv.field_size_limit(2**31 - 1)

# Bytes that are no text come through decoding as surrogates, which no text holds, so that one of them
# spoils its own record only, and different ones stay different.
_SURROGATES = 0xDC00
_HAS_UNDECODED = re.compile("[\udc00-\udcff]")
_UNDECODED = "medallion_undecoded"

JSON_LINES = (".jsonl", ".ndjson")
ENVELOPES = ".envelopes.jsonl"  # of the receiver: {"id": the event's key, "body": its text}, or body64 for other bytes
EMPTY = "empty"


def _as_surrogates(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_SURROGATES + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_UNDECODED, _as_surrogates)


@dataclass(frozen=True)
class Record:
    """One payload; ``position`` counts from 1 within its file, ``rescued`` are cells of columns not in conf."""

    payload: str
    position: int
    fields: Mapping[str, str | None] | None = None
    rescued: Mapping[str, str | None] | None = None
    event_key: str | None = None
    problem: str | None = None


@dataclass
class Batch:
    """Records of some deliveries: ``read`` counts all, ``table`` holds those that are not repeats of an extract.

    Columns: payload, fields, rescued, event_key, problem, position, landing_file, delivery, received_at, and
    occurrence, which tells equal payloads of a delivery apart.
    """

    read: int
    repeats: int
    table: "pa.Table"

    def unknown_columns(self) -> list[str]:
        """Return the names of columns that conf does not name, sorted."""
        import pyarrow.compute as pc

        maps = pc.drop_null(self.table["rescued"])
        return sorted({name for chunk in maps.chunks for name in pc.unique(chunk.keys).to_pylist()})


def read(landing: Landing, source: Source, manifests: Sequence[Manifest]) -> Batch:
    """Read deliveries; of an extract, only what the extract before did not already hold.

    An extract's rows are news only against the extract before: A, B, A are three records, while a row
    carried along unchanged is counted as a repeat. The occurrence number keeps identical rows apart. An extract
    is a delivery, or each of its files (`Source.extract`): then the one before is the last file of that name.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from medallion import plain

    schema = pa.schema(
        [
            *plain.FOUND,
            ("delivery", pa.int64()),
            ("received_at", pa.timestamp("us", tz="UTC")),
            ("occurrence", pa.int64()),
        ]
    )
    parts: list[pa.Table] = []
    total = 0
    earlier = _earlier(landing, source, manifests)
    for extract in _extracts(source, manifests):
        found = _delivery(landing, source, extract)
        total += len(found)
        received_at = pa.scalar(datetime.fromisoformat(extract.received_at), schema.field("received_at").type)
        occurrence = plain.occurrences(found["payload"])
        placed = [pa.repeat(extract.number, len(found)), pa.repeat(received_at, len(found)), occurrence]
        found = pa.table([*found.columns, *placed], schema=schema)
        before = _extract_before(landing, source, extract, earlier)
        if before is not None:
            found = found.filter(pc.greater(occurrence, plain.times_in(before["payload"], found["payload"])))
        parts.append(found)
    table = plain.concatenated(parts, schema)
    return Batch(total, total - len(table), table)


def _extracts(source: Source, manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yield each extract as a manifest of its files."""
    for manifest in manifests:
        if source.extract == "file":
            yield from (replace(manifest, files=(file,)) for file in manifest.files)
        else:
            yield manifest


def _earlier(landing: Landing, source: Source, manifests: Sequence[Manifest]) -> Mapping[str, Sequence[int]]:
    """Return for each file name the deliveries, oldest first, that held one; asked only where a file is an extract."""
    if source.extract != "file" or not manifests:
        return {}
    held: dict[str, list[int]] = {}
    for number in range(1, manifests[-1].number + 1):
        try:
            files = landing.manifest(number).files
        except LandingError:
            continue  # landing has let it go
        for file in files:
            held.setdefault(file.name, []).append(number)
    return held


def _extract_before(
    landing: Landing, source: Source, extract: Manifest, earlier: Mapping[str, Sequence[int]]
) -> "pa.Table | None":
    """Return the extract before this one; none for events, for the first, or where landing has let it go."""
    if source.delivers != "snapshot":
        return None
    name = extract.files[0].name if source.extract == "file" else None
    numbers = range(1, extract.number) if name is None else [n for n in earlier[name] if n < extract.number]
    if not numbers:
        return None
    try:
        before = landing.manifest(numbers[-1])
        kept = before.files if name is None else tuple(file for file in before.files if file.name == name)
        return _delivery(landing, source, replace(before, files=kept))
    except LandingError:
        return None  # then every row counts as news, which costs time and changes nothing


def _delivery(landing: Landing, source: Source, manifest: Manifest) -> "pa.Table":
    """Return the records of a delivery, in the order of its files."""
    from medallion import plain

    parts: list[pa.Table] = []
    gathered: list[tuple[str, Record]] = []
    for file, packed in landing.contents(manifest):
        try:
            content, name = unpacked(packed, file.name)
        except PackedError as error:
            gathered.append((file.path, Record("", 1, problem=str(error))))
            continue
        found = plain.read_plain(content, name, file.path, source)
        if found is None:
            gathered += [(file.path, record) for record in records(content, name, source)]
        else:
            parts += [plain.from_records(gathered), found]
            gathered = []
    return plain.concatenated([*parts, plain.from_records(gathered)], plain.FOUND)


def records(content: bytes, name: str, source: Source) -> Iterator[Record]:
    """Yield the records of one file; a payload that cannot be what it should be is marked, never dropped."""
    if source.format == "parquet":
        from medallion.parquet import rows

        found = rows(content, source)
    elif name.endswith(ENVELOPES):
        from medallion.envelopes import opened

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
        from medallion.listed import elements

        return elements(text, source.records)
    return iter([Record(text, 1)])


def is_utf8(encoding: str) -> bool:
    """Tell whether an encoding is UTF-8, whatever name it goes by."""
    return codecs.lookup(encoding).name == "utf-8"


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
