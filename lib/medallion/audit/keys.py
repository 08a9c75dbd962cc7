"""Invariant 2: nothing is counted twice: record ids and keys are unique, histories of rows have no overlap."""

from medallion.audit import sql
from medallion.audit.finding import Result
from medallion.audit.pins import Pin, Pinned
from medallion.quarantine import KEY as QUARANTINE_KEY
from medallion.query import quoted
from medallion.tables import Aggregate, Bronze, Derived, Mart, Silver

_MOST = 1000  # rows of an answer


def check(pinned: Pinned, result: Result) -> None:
    """Hold the rows that readers see, tombstones too, against the keys their tables declare."""
    for _, pin in pinned.of(Bronze):
        with result.perhaps(pin.name):
            _count(pin, result)
            _unique(pin, ("_record_id",), result)
            _filled(pin, ("_record_id", "_identity", "payload", "_payload_sha256", "_delivery"), result)
    for table, pin in pinned.of(Silver):
        with result.perhaps(pin.name):
            _count(pin, result)
            _unique(pin, table.stored_key, result)
            _filled(pin, (*table.stored_key, "_record_id"), result)
            if table.keeps_versions:
                _intervals(pin, table, result)
    for kind in (Mart, Aggregate, Derived):
        for table, pin in pinned.of(kind):
            with result.perhaps(pin.name):
                _count(pin, result)
                _unique(pin, table.key, result)
                if kind is Mart:  # a null is a value of a dimension like any other
                    _filled(pin, table.key, result)
    for pin in pinned.quarantines.values():
        if pin.problem is None:
            with result.perhaps(pin.name):
                _count(pin, result)
                _unique(pin, QUARANTINE_KEY, result)


def _next(pin: Pin) -> str:
    pipeline, layer, table = pin.name.split(".")
    if layer == "bronze":
        return f"compare with landing; RESTORE TABLE delta.`{pin.path}` brings an earlier version back"
    return f"remove {pin.path}, then medallion run {pipeline} --table {layer}.{table}: it is made anew in full"


def _count(pin: Pin, result: Result) -> None:
    result.saw("rows", int(sql.rows(pin, "SELECT count(*) AS n FROM t")[0]["n"]))


def _unique(pin: Pin, key: tuple[str, ...], result: Result) -> None:
    names = quoted(key)
    found = sql.rows(
        pin,
        f"SELECT {names}, count(*) AS times FROM t GROUP BY {names} HAVING count(*) > 1 ORDER BY {names} LIMIT {_MOST}",
    )
    if found:
        told = [f"{sql.shown(row, key)}: {row['times']} rows at version {pin.shown}" for row in found]
        result.red(pin.name, f"rows have the same {', '.join(key)}", told, _next(pin))


def _filled(pin: Pin, columns: tuple[str, ...], result: Result) -> None:
    # Not by WHERE: files whose statistics say that they have no null would not be read.
    counts = ", ".join(
        f"sum(CASE WHEN {quoted([column])} IS NULL THEN 1 ELSE 0 END) AS {quoted([column])}"
        for column in dict.fromkeys(columns)
    )
    for column, count in sql.rows(pin, f"SELECT {counts} FROM t")[0].items():
        if count:
            result.red(pin.name, f"{column} is null", [f"{count} rows at version {pin.shown}"], _next(pin))


def _intervals(pin: Pin, table: Silver, result: Result) -> None:
    """Each key has one newest version, and each version holds until the next one begins."""
    key, order = quoted(table.key), quoted((*table.sequence, "_record_id", "_ordinal"))
    since = quoted(table.sequence[:1])
    following = f"lead({since}) OVER (PARTITION BY {key} ORDER BY {order})"
    # Compared where they are selected: in WHERE, DataFusion cannot type the three together.
    wrong = sql.rows(
        pin,
        f"SELECT * FROM (SELECT {key}, valid_from, valid_to, is_current, "
        f"valid_from IS DISTINCT FROM {since} AS _a, valid_to IS DISTINCT FROM {following} AS _b, "
        f"is_current IS DISTINCT FROM ({following} IS NULL) AS _c FROM t) WHERE _a OR _b OR _c LIMIT {_MOST}",
    )
    if wrong:
        told = [
            f"{sql.shown(row, table.key)}: from {row['valid_from']} to {row['valid_to']}, current {row['is_current']}"
            for row in wrong
        ]
        result.red(pin.name, "intervals do not meet, or not one version a key is current", told, _next(pin))
