"""Rows of two frames held against each other, whatever their order; what differs is told by key."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_MOST = 1000  # rows of a difference that are counted
_DIGITS = 9  # of a floating point number that are compared: sums of them depend on the order


def differences(anew: "DataFrame", stored: "DataFrame", key: tuple[str, ...]) -> list[str]:
    """Return a line for each key of which the frames, of the same columns, say other things."""
    from pyspark.sql import functions as F

    wanted, found = (frame.select(*_comparable(frame)) for frame in (anew, stored))
    surplus = found.exceptAll(wanted).withColumn("_side", F.lit("stored"))
    lacking = wanted.exceptAll(found).withColumn("_side", F.lit("made anew"))
    return _told(surplus.unionByName(lacking).limit(_MOST).toArrow().to_pylist(), key)


def checksum(rows: "DataFrame") -> tuple[int, str]:
    """Return how many rows there are, and a sum over them that says whether they are the same in any order."""
    from pyspark.sql import functions as F

    hashed = F.xxhash64(*_comparable(rows)).cast("decimal(38,0)")
    count, total = rows.agg(F.count("*"), F.sum(hashed)).first() or (0, None)
    return count, f"{int(total or 0) % 2**64:016x}"


def _told(rows: list[dict[str, Any]], key: tuple[str, ...]) -> list[str]:
    """Return a line a key: only in the table, only made anew, or which columns differ."""
    sides: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows:
        sides.setdefault(tuple(row[column] for column in key), {})[row.pop("_side")] = row
    told: list[str] = []
    for values, found in sorted(sides.items(), key=lambda item: str(item[0])):
        named = ", ".join(f"{column}={value}" for column, value in zip(key, values, strict=True))
        if len(found) == 1:
            told.append(f"{named}: only {'in the table' if 'stored' in found else 'when made anew'}")
            continue
        stored, anew = found["stored"], found["made anew"]
        other = [f"{c} is {stored[c]}, made anew {anew[c]}" for c in stored if stored[c] != anew[c]]
        told.append(f"{named}: {'; '.join(other[:3])}")
    return told


def _comparable(frame: "DataFrame") -> "list[Column]":
    """Return columns in forms that can be compared: maps as sorted text, nested ones as text, reals rounded."""
    from pyspark.sql import functions as F

    found: list[Column] = []
    for field in frame.schema.fields:
        column, type_ = F.col(f"`{field.name}`"), field.dataType.simpleString()
        if type_.startswith("map"):
            column = F.to_json(F.array_sort(F.map_entries(column)))
        elif type_.startswith(("array", "struct")):
            column = F.to_json(column)
        elif type_ in ("double", "float"):
            column = F.format_string(f"%.{_DIGITS}e", column.cast("double"))
        elif type_ == "variant":
            column = column.cast("string")
        found.append(column.alias(field.name))
    return found
