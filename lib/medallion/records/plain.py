"""Plain files, read by the column: JSON lines, and csv without quotes; the records that `records` finds, far sooner."""

import codecs
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medallion.conf import Source
from medallion.records.layout import layout
from medallion.records.record import EMPTY, ENVELOPES, JSON_LINES, Record, is_utf8

# Payloads of a large delivery come to more than the 2 GiB that a column of `string` can hold.
FOUND = pa.schema(
    [
        ("payload", pa.large_string()),
        ("fields", pa.map_(pa.string(), pa.string())),
        ("rescued", pa.map_(pa.string(), pa.string())),
        ("event_key", pa.string()),
        ("problem", pa.string()),
        ("position", pa.int64()),
        ("landing_file", pa.string()),
    ]
)
# What str.strip() strips.
_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())


def read_plain(content: bytes, name: str, path: str, source: Source) -> pa.Table | None:
    """Return a file's records as FOUND columns; None where it takes `records` to tell what they are."""
    is_csv = source.format == "csv"
    is_lines = source.format == "json" and name.endswith(JSON_LINES) and not name.endswith(ENVELOPES)
    if not (is_csv or is_lines) or not is_utf8(source.encoding):
        return None
    lines = None if is_csv and _may_be_quoted(content) else _lines(content)
    if lines is None:
        return None
    found = _csv_rows(lines, source) if is_csv else (lines, _no_cells(lines), _no_cells(lines), _counted(lines))
    if found is None:
        return None
    payload, fields, rescued, position = found
    no_key, file = pa.nulls(len(payload), pa.string()), pa.repeat(path, len(payload))
    return pa.table([payload, fields, rescued, no_key, _problems(payload, source), position, file], schema=FOUND)


def from_records(found: Iterable[tuple[str, Record]]) -> pa.Table:
    """Return records, each with the path of its file, as FOUND columns."""
    rows = [
        {
            "payload": record.payload,
            "fields": None if record.fields is None else list(record.fields.items()),
            "rescued": None if record.rescued is None else list(record.rescued.items()),
            "event_key": record.event_key,
            "problem": record.problem,
            "position": record.position,
            "landing_file": path,
        }
        for path, record in found
    ]
    return pa.Table.from_pylist(rows, schema=FOUND)


def concatenated(parts: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """Return tables as one, without the empty ones: at an empty batch of rows Spark would stop to read."""
    return pa.concat_tables([part for part in parts if len(part)] or [schema.empty_table()])


def occurrences(payload: pa.ChunkedArray) -> pa.Array:
    """Return for each payload how many equal ones there are up to it, itself included."""
    encoded = payload.dictionary_encode()
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks] or [np.array([], np.int32)])
    order = np.argsort(codes, kind="stable")
    places = np.arange(len(codes))
    is_first = np.ones(len(codes), bool)
    is_first[1:] = codes[order][1:] != codes[order][:-1]
    counts = np.empty(len(codes), np.int64)
    counts[order] = places - np.maximum.accumulate(np.where(is_first, places, 0)) + 1
    return pa.array(counts)


def times_in(before: pa.ChunkedArray, payload: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return for each payload how often it is among those before."""
    counted = before.value_counts()
    places = pc.index_in(payload, value_set=counted.field("values"))
    return pc.fill_null(counted.field("counts").take(places), 0)


def _lines(content: bytes) -> pa.Array | None:
    """Return a text's lines without their endings; None for text of other than one kind of ending, or that is none."""
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\r" in content:
        if content.count(b"\r") != content.count(b"\r\n"):
            return None
        content = content.replace(b"\r\n", b"\n")
    if not content:
        return pa.array([], pa.large_string())
    try:
        text = pa.array([content.removesuffix(b"\n")], pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid:
        return None
    return pc.split_pattern(text, "\n").flatten()


def _may_be_quoted(content: bytes) -> bool:
    return b'"' in content or b"\0" in content or len(content) >= 2**31


def _csv_rows(lines: pa.Array, source: Source) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array] | None:
    """Return rows, their cells by the names that conf knows and by those it does not, and the line each stands on."""
    is_row = pc.not_equal(lines, "")
    rows, position = lines.filter(is_row), _counted(lines).filter(is_row)
    if len(rows) == 0:
        return rows, _no_cells(rows), _no_cells(rows), position
    found = layout(rows[0].as_py().split(","), source)
    rows, position = rows.slice(1), position.slice(1)
    cells = pc.split_pattern(rows, ",")
    if found.unusable or not pc.all(pc.equal(pc.list_value_length(cells), len(found.names))).as_py():
        return None
    values = cells.flatten().cast(pa.string())
    return (
        rows,
        _named(found.names, found.known, values),
        _named(found.names, [not k for k in found.known], values),
        position,
    )


def _named(names: Sequence[str], taken: Sequence[bool], values: pa.Array) -> pa.Array:
    """Return the cells of the columns that are taken as a map a row; null where there is no such column."""
    columns = np.flatnonzero(taken)
    count = len(values) // len(names)
    if not len(columns):
        return pa.nulls(count, FOUND.field("rescued").type)
    places = (np.arange(count)[:, None] * len(names) + columns).ravel()
    keys = pa.array(names, pa.string()).take(pa.array(np.tile(columns, count)))
    offsets = pa.array(np.arange(count + 1) * len(columns), pa.int32())
    return pa.MapArray.from_arrays(offsets, keys, values.take(pa.array(places)))


def _no_cells(rows: pa.Array) -> pa.Array:
    return pa.nulls(len(rows), FOUND.field("fields").type)


def _problems(payload: pa.Array, source: Source) -> pa.Array:
    size, none = pc.binary_length(payload), pa.scalar(None, pa.string())
    said = pc.binary_join_element_wise("too large: ", size.cast(pa.string()), f" bytes, at most {source.max_bytes}", "")
    problems = pc.if_else(pc.greater(size, source.max_bytes), said, none)
    if source.format == "csv":
        return problems
    return pc.if_else(pc.equal(pc.utf8_trim(payload, _BLANKS), ""), EMPTY, problems)


def _counted(lines: pa.Array) -> pa.Array:
    return pa.array(np.arange(1, len(lines) + 1))
