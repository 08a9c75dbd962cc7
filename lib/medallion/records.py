"""Deliveries as records: one row a payload, exactly as received, with its place and what is wrong with it.

Reading is plain Python on the driver: thousands of small webhook files are read in well under a second,
where a Spark job would list each. What a record is depends on the file: all of a ``.json`` file, a line
of a ``.jsonl`` file, a row of a csv file.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion.conf import Source
from medallion.errors import LandingError
from medallion.landing import LandedFile, Landing, Manifest

if TYPE_CHECKING:
    import pyarrow as pa

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


@dataclass(frozen=True)
class Record:
    """One payload; ``position`` counts from 1 within its file."""

    payload: str
    position: int
    fields: dict[str, str] | None = None
    problem: str | None = None


@dataclass
class Batch:
    """Records of some deliveries: ``read`` counts all, ``rows`` holds those that are not repeats of an extract."""

    read: int = 0
    repeats: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def to_arrow(self) -> "pa.Table":
        """Return the rows as an Arrow table, typed though it has no row."""
        import pyarrow as pa

        schema = pa.schema(
            [
                ("payload", pa.string()),
                ("fields", pa.map_(pa.string(), pa.string())),
                ("problem", pa.string()),
                ("delivery", pa.int64()),
                ("position", pa.int64()),
                ("occurrence", pa.int64()),
                ("received_at", pa.timestamp("us", tz="UTC")),
                ("landing_file", pa.string()),
            ]
        )
        return pa.Table.from_pylist(self.rows, schema=schema)


def read(landing: Landing, source: Source, manifests: Sequence[Manifest]) -> Batch:
    """Read deliveries; of an extract, only what the delivery before did not already hold.

    An extract's rows are news only against the extract before: A, B, A are three records, while a row
    carried along unchanged is counted as a repeat. The occurrence number keeps identical rows apart.
    """
    batch = Batch()
    for manifest in manifests:
        before = _extract_before(landing, source, manifest)
        seen: Counter[str] = Counter()
        received_at = datetime.fromisoformat(manifest.received_at)
        for file, record in _delivery(landing, source, manifest):
            seen[record.payload] += 1
            batch.read += 1
            if seen[record.payload] <= before[record.payload]:
                batch.repeats += 1
                continue
            batch.rows.append(
                {
                    "payload": record.payload,
                    "fields": None if record.fields is None else list(record.fields.items()),
                    "problem": record.problem,
                    "delivery": manifest.number,
                    "position": record.position,
                    "occurrence": seen[record.payload],
                    "received_at": received_at,
                    "landing_file": file.path,
                }
            )
    return batch


def _extract_before(landing: Landing, source: Source, manifest: Manifest) -> Counter[str]:
    """Count the payloads of the extract before this one; none for events or where landing has let it go."""
    if source.delivers != "snapshot" or manifest.number == 1:
        return Counter()
    try:
        before = landing.manifest(manifest.number - 1)
        return Counter(record.payload for _, record in _delivery(landing, source, before))
    except LandingError:
        return Counter()  # then every row counts as news, which costs time and changes nothing


def _delivery(landing: Landing, source: Source, manifest: Manifest) -> Iterator[tuple[LandedFile, Record]]:
    for file, content in landing.contents(manifest):
        for record in records(content, file.name, source):
            yield file, record


def records(content: bytes, name: str, source: Source) -> Iterator[Record]:
    """Yield the records of one file; a payload that cannot be what it should be is marked, never dropped."""
    is_utf8 = codecs.lookup(source.encoding).name == "utf-8"
    text = content.decode("utf-8-sig" if is_utf8 else source.encoding, errors=_UNDECODED)
    if source.format == "csv":
        found = _csv_rows(text)
    elif name.endswith((".jsonl", ".ndjson")):
        lines = text.removesuffix("\n").split("\n") if text else []
        found = (Record(line.removesuffix("\r"), position) for position, line in enumerate(lines, start=1))
    else:
        found = iter([Record(text, 1)])
    for record in found:
        yield _checked(record, source)


def _checked(record: Record, source: Source) -> Record:
    """Mark a record that is no text, empty or too large; undecoded bytes are written out as ``\\xff``."""
    if _HAS_UNDECODED.search(record.payload):
        shown = _HAS_UNDECODED.sub(lambda found: f"\\x{ord(found[0]) - _SURROGATES:02x}", record.payload)
        return Record(shown, record.position, problem=record.problem or f"not {source.encoding}")
    size = len(record.payload.encode())
    problem = record.problem
    if problem is None and record.fields is None and not record.payload.strip():
        problem = "empty"
    elif problem is None and size > source.max_bytes:
        problem = f"too large: {size} bytes, at most {source.max_bytes}"
    return replace(record, problem=problem)


def _csv_rows(text: str) -> Iterator[Record]:
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    spoilt: str | None = None
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
        if header is None:
            header = [cell.strip() for cell in cells]
            spoilt = _spoilt(header)
            continue
        fields = None if spoilt else dict(zip(header, cells, strict=False))
        yield Record(raw.rstrip("\r\n"), position, fields, spoilt or _ragged(header, cells))


def _spoilt(header: Sequence[str]) -> str | None:
    """Say why cells under a header cannot be told by name, if so."""
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        return f"header names a column twice: {', '.join(twice)}"
    return "header is not text" if _HAS_UNDECODED.search("".join(header)) else None


def _ragged(header: Sequence[str], cells: Sequence[str]) -> str | None:
    ragged = len(cells) != len(header)
    return f"ragged: {len(cells)} cells under a header of {len(header)}" if ragged else None
