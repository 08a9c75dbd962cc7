"""How values stand in a cache, which knows only whole numbers, reals, text and bytes; nothing is rounded.

| Spark's type | in the cache |
| --- | --- |
| boolean, whole numbers | whole number |
| decimal of up to 18 digits | whole number: the value times 10 ** scale |
| wider decimal | text |
| float, double | real; not-a-number as the text NaN, since SQLite would make it null |
| date | text, 2026-01-31 |
| timestamp | whole number: microseconds since 1970 in UTC |
| string, binary | text, bytes |
| array, map, struct | text: JSON |
"""

import datetime as dt
import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

Stored = int | float | str | bytes | None
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SCALED_DIGITS = 18  # more do not fit into SQLite's 64 bits
_WHOLE = ("tinyint", "smallint", "int", "integer", "bigint", "long", "short", "byte")


class Kind(NamedTuple):
    """How a column's values stand in a cache; ``scale`` is a scaled decimal's."""

    name: str
    scale: int = 0

    @property
    def is_ordered(self) -> bool:
        """Whether stored values sort as the values do."""
        return self.name in ("whole", "boolean", "scaled", "date", "timestamp", "text")

    @property
    def is_exact(self) -> bool:
        """Whether two values are equal exactly where they are stored alike, so that one can be filtered by."""
        return self.is_ordered or self.name == "decimal"


def kind_of(type_: str) -> Kind:
    """Return how values of a Spark type are stored."""
    name = type_.strip().lower()
    decimal = re.fullmatch(r"(?:decimal|numeric|dec)(?:\((\d+)(?:,\s*(\d+))?\))?", name)
    if decimal:
        digits, scale = int(decimal[1] or 10), int(decimal[2] or 0)
        return Kind("scaled", scale) if digits <= _SCALED_DIGITS else Kind("decimal", scale)
    if name in _WHOLE:
        return Kind("whole")
    if name in ("float", "double", "real"):
        return Kind("real")
    if name in ("timestamp", "timestamp_ntz", "timestamp_ltz"):
        return Kind("timestamp")
    if name in ("boolean", "date", "binary"):
        return Kind(name)
    return Kind("text" if re.fullmatch(r"string|(var)?char\(\d+\)", name) else "json")


def stored(values: "pa.Array | pa.ChunkedArray", kind: Kind) -> list[Stored]:
    """Return a column's values as they are stored."""
    import pyarrow as pa

    if kind.name == "timestamp":
        micros = values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None)))
        return list(micros.cast(pa.int64()).to_pylist())
    found = values.to_pylist()
    store = _STORE.get(kind.name)
    if kind.name == "scaled":
        return [None if value is None else int(value.scaleb(kind.scale)) for value in found]
    return found if store is None else [None if value is None else store(value) for value in found]


def shown(kind: Kind) -> Callable[[Any], Any] | None:
    """Return what makes a stored value one for people and for JSON; None where it is one already."""
    if kind.name == "scaled":
        return lambda value: str(Decimal(value).scaleb(-kind.scale))
    return _SHOWN.get(kind.name)


def given(text: str, kind: Kind) -> Stored:
    """Return what a person typed as it would be stored; raises ValueError where it is no value of the kind."""
    read = _GIVEN.get(kind.name)
    if kind.name == "scaled":
        return _scaled(text, kind.scale)
    return text if read is None else read(text)


def instant(micros: int) -> str:
    """Return a stored timestamp as ISO 8601 in UTC."""
    at = _EPOCH + dt.timedelta(microseconds=micros)
    return at.isoformat().replace("+00:00", "Z")


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", text):
        raise ValueError("wanted a whole number")
    return int(text)


def _boolean(text: str) -> int:
    if text not in ("true", "false"):
        raise ValueError("wanted true or false")
    return int(text == "true")


def _scaled(text: str, scale: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,18})?", text):
        raise ValueError("wanted a number")
    value = Decimal(text).scaleb(scale)
    if value != int(value):
        raise ValueError(f"wanted a number of at most {scale} decimals")
    return int(value)


def _timestamp(text: str) -> int:
    at = dt.datetime.fromisoformat(text)
    return ((at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - _EPOCH) // dt.timedelta(microseconds=1)


def _real(value: float) -> float | str:
    return "NaN" if math.isnan(value) else value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_STORE: dict[str, Callable[[Any], Stored]] = {
    "boolean": int,
    "decimal": lambda value: format(value, "f"),
    "real": _real,
    "date": lambda value: value.isoformat(),
    "json": _json,
}
_SHOWN: dict[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "timestamp": instant,
    "binary": lambda value: value.hex(),
    "real": lambda value: value if isinstance(value, str) or math.isfinite(value) else str(value),
    "json": json.loads,
}
_GIVEN: dict[str, Callable[[str], Stored]] = {"whole": _whole, "boolean": _boolean, "timestamp": _timestamp}
