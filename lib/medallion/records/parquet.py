"""Rows of Parquet files as records: the payload is the row as JSON, and each cell as text beside it, both exact."""

import base64
import datetime as dt
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from medallion.conf import Source
from medallion.records.layout import layout
from medallion.records.record import Record

_ROWS_AT_ONCE = 10_000


def rows(content: bytes, source: Source) -> Iterator[Record]:
    """Yield a record a row, in the file's order; a file that is no Parquet is one record with a problem.

    Numbers keep their digits, instants are ISO 8601 with an offset, dates and local times without one, bytes
    base64; a null cell is null.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    position = 0
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        found = layout(file.schema_arrow.names, source)
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            for row in batch.to_pylist():
                position += 1
                texts = [None if value is None else _cell(value) for value in row.values()]
                fields, rescued = (None, None) if found.unusable else found.split(texts)
                payload = json.dumps(row, default=_text, ensure_ascii=False, separators=(",", ":"))
                yield Record(payload, position, fields, rescued, problem=found.unusable)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # the last: a day beyond Python's
        told = (str(error).splitlines() or [type(error).__name__])[0][:200]
        yield Record("", position + 1, problem=f"not Parquet: {told}")


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, default=_text, ensure_ascii=False, separators=(",", ":"))
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)
