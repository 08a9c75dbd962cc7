"""Invariant 3: every record is accounted for: each commit's equation, Delta's figures, the log's rows, quarantines."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from medallion.account import GONE, KEYS, NO_VERSION, Account
from medallion.audit import sql
from medallion.audit.finding import Result
from medallion.audit.log import Entry, file_of
from medallion.audit.pins import Pin, Pinned
from medallion.outcomes import TERMS
from medallion.tables import Bronze, Silver, Table

_OUTCOMES = ("quarantined", "waiting")


def check(pinned: Pinned, result: Result) -> None:
    """Hold every commit of ours against its account, and every rejected row against the record it comes from."""
    for name, pin in pinned.tables.items():
        if pin.problem is None:
            table = pinned.run.tables[name]
            with result.perhaps(name):
                _commits(table, pin, result)
            with result.perhaps(name):
                _rows(pin, result)
            if isinstance(table, Silver) and name not in pinned.quarantines:
                _without_quarantine(pin, result)
    for name, pin in pinned.quarantines.items():
        if pin.problem is None:
            with result.perhaps(pin.name):
                _rows(pin, result)
            with result.perhaps(pin.name):
                _rejected(pinned, pinned.run.tables[name], pin, result)


def _without_quarantine(pin: Pin, result: Result) -> None:
    told = [
        f"version {entry.version}: {account.rows['quarantined']} quarantined, {account.rows['waiting']} waiting"
        for entry, account in pin.log.accounts()
        if account.rows["quarantined"] or account.rows["waiting"]
    ]
    if told:
        pipeline, _, table = pin.name.split(".")
        next_ = f"remove {pin.path}, then medallion run {pipeline} --table silver.{table}: both are made anew"
        result.red(pin.name, "its rejected rows are nowhere: its quarantine is not there", told, next_)


def _next(pin: Pin) -> str:
    pipeline, layer, table = pin.name.split(".")
    told = f"medallion history {pin.name}"
    if layer == "bronze":
        return f"{told}; compare it with landing, RESTORE TABLE delta.`{pin.path}` brings a version back"
    layer = "silver" if layer == "quarantine" else layer
    return f"{told}; then remove {pin.path} and medallion run {pipeline} --table {layer}.{table}: it is made anew"


def _commits(table: Table, pin: Pin, result: Result) -> None:
    wrong: list[str] = []
    for entry, account in pin.log.accounts():
        result.saw("commits", 1)
        told = {term: count for term, count in account.rows.items() if count}
        wrong += [
            f"version {entry.version}: {what}; its account says {told}" for what in _uneven(table, entry, account)
        ]
    if wrong:
        result.red(pin.name, "accounts of commits do not add up", wrong, _next(pin))


def _uneven(table: Table, entry: Entry, account: Account) -> Iterator[str]:
    """Yield what does not add up in a commit; ``written`` is held against Delta's figures, these against its files."""
    rows = account.rows
    if isinstance(table, Bronze):
        yield from _uneven_append(rows, entry)
        return
    if isinstance(table, Silver) and rows["read"] != sum(rows[term] for term in TERMS):
        yield f"read is not {' + '.join(TERMS)}"
    if KEYS in rows:
        yield from _uneven_patch(rows, entry)
        return
    if not isinstance(table, Silver) and rows["read"] != rows["written"]:
        yield "read is not written"
    if entry.operation == "WRITE" and entry.replaced is None:
        yield from _overwritten(rows["written"] + rows.get("kept", 0), entry)
    merged = _merged(entry)
    if merged is not None:
        # Tombstones of children, and versions that get another end, are written besides.
        adjusts = isinstance(table, Silver) and (bool(table.parent) or table.keeps_versions)
        if merged != rows["written"] and not (adjusts and merged > rows["written"]):
            yield f"Delta merged {merged} rows"


def _uneven_append(rows: Mapping[str, int], entry: Entry) -> Iterator[str]:
    """Yield what does not add up in a commit of bronze."""
    if rows["read"] != rows["stored"] + rows["duplicates"]:
        yield "read is not stored + duplicates"
    stored = rows["stored"]
    if entry.operation == "WRITE" and not stored == entry.metric("numOutputRows") == _added(entry):
        yield f"Delta wrote {entry.metric('numOutputRows')} rows, its files have {_added(entry)}"
    if entry.operation != "WRITE" and stored:
        yield "it stored rows in a commit that writes none"
    if rows.get("removed", 0) != (_removed(entry) or 0):
        yield f"Delta removed {_removed(entry)} rows"


def _uneven_patch(rows: Mapping[str, int], entry: Entry) -> Iterator[str]:
    """Yield what does not add up in a commit of gold by what changed: rows that stayed as they were are not merged."""
    if rows[KEYS] != rows["written"] + rows[GONE]:
        yield "keys is not written + gone"
    if entry.operation == "WRITE" and entry.replaced is None:
        yield from _overwritten(_added(entry), entry)
    merged, deleted = _merged(entry), entry.metric("numTargetRowsDeleted")
    if merged is not None and (merged > rows["written"] or deleted > rows[GONE]):
        yield f"Delta merged {merged} rows, and deleted {deleted}"


def _merged(entry: Entry) -> int | None:
    """Return how many rows came or were updated by their keys; None where a commit did something else."""
    if entry.replaced is not None:
        return entry.replaced[1]
    merged = entry.metric("numTargetRowsInserted") + entry.metric("numTargetRowsUpdated")
    return merged if entry.operation == "MERGE" else None


def _removed(entry: Entry) -> int | None:
    """Return how many rows a commit took away by a condition; None where it did something else."""
    told = {"DELETE": "numDeletedRows", "MERGE": "numTargetRowsDeleted"}.get(entry.operation)
    return None if told is None else entry.metric(told)


def _overwritten(written: int, entry: Entry) -> Iterator[str]:
    if not written == entry.metric("numOutputRows") == _added(entry):
        yield f"Delta wrote {entry.metric('numOutputRows')} rows, its files have {_added(entry)}"


def _added(entry: Entry) -> int:
    return sum(file_of(action).rows or 0 for action in entry.of("add"))


def _rows(pin: Pin, result: Result) -> None:
    """The rows of each version follow from the one before and from what Delta counted in between."""
    wrong: list[str] = []
    before: int | None = None
    for version, state in pin.log.snapshots():
        entry = pin.log.entries.get(version)
        wanted = None if entry is None else _expected(entry, before)
        if wanted is not None and state.rows is not None and state.rows != wanted:
            wrong.append(f"version {version}: {state.rows} rows by its files, {wanted} by what was written")
        before = state.rows
    if wrong:
        result.red(pin.name, "rows appear or vanish between versions", wrong, _next(pin))


def _expected(entry: Entry, before: int | None) -> int | None:
    """Return how many rows a version is to have; None where that cannot be told."""
    if entry.replaced is not None:
        return None if before is None else before - entry.replaced[0] + entry.replaced[1]
    mode = str(entry.info.get("operationParameters", {}).get("mode", ""))
    if entry.operation == "WRITE" and (mode != "Append" or before is None):
        return entry.metric("numOutputRows") if mode != "Append" or entry.version == 0 else None
    if before is None:
        return None
    if entry.operation == "WRITE":
        return before + entry.metric("numOutputRows")
    if entry.operation == "MERGE":
        return before + entry.metric("numTargetRowsInserted") - entry.metric("numTargetRowsDeleted")
    if entry.operation == "DELETE" and entry.account is not None:
        return before - (_removed(entry) or 0)
    return None if entry.account is None else before


def _rejected(pinned: Pinned, table: Table, pin: Pin, result: Result) -> None:
    """Each rejected row has a reason, or what it waits for, and comes from a record that bronze has, as it is there."""
    held = sql.rows(pin, "SELECT _record_id, _ordinal, outcome, reasons, waits_for, payload, landing_file FROM t")
    result.saw("quarantined rows", len(held))
    silent = [_told(row) for row in held if not _reasoned(row)]
    if silent:
        result.red(pin.name, "rows without a reason, or what they wait for", silent, _next(pin))
    looked = pinned.chosen(held, f"rows of {pin.name}")
    if len(looked) < len(held):
        result.skip(pin.name, f"payloads of {len(held) - len(looked)} of {len(held)} rows (sampled)")
    source = _bronze_of(pinned, table)
    if source is None:
        result.skip(pin.name, "whether bronze has its records: the table it reads is not there or not readable")
        return
    columns = "_record_id, payload, _payload_sha256, _landing_file"
    ids = (row["_record_id"] for row in looked)
    # A run that is at work may have rejected records which came after bronze was pinned.
    newest = source.version if pinned.at else sql.NEWEST
    known = {row["_record_id"]: row for row in sql.where_in(source, columns, "_record_id", ids, newest)}
    lost = [_told(row) for row in looked if row["_record_id"] not in known]
    if lost:
        result.red(pin.name, f"rows come from records that {source.name} does not have", lost, _next(pin))
    other = [_told(row) for row in looked if row["_record_id"] in known and _differs(row, known[row["_record_id"]])]
    if other:
        result.red(pin.name, f"payloads differ from those in {source.name}", other, _next(pin))


def _reasoned(row: dict[str, Any]) -> bool:
    if row["outcome"] not in _OUTCOMES:
        return False
    return bool(row["reasons"]) if row["outcome"] == "quarantined" else bool(row["waits_for"])


def _told(row: dict[str, Any]) -> str:
    return f"{row['outcome']} {row['_record_id']} row {row['_ordinal']} of {row['landing_file'] or 'its parent'}"


def _differs(row: dict[str, Any], record: dict[str, Any]) -> bool:
    """Tell whether an entry's payload, where it keeps one, is another than its record's."""
    if row["payload"] is None:
        return False
    if row["landing_file"] != record["_landing_file"]:
        return True
    return bool(sha256(row["payload"].encode()).hexdigest() != record["_payload_sha256"])


def _bronze_of(pinned: Pinned, table: Table) -> Pin | None:
    pin = pinned.source_of(table.name)
    return pin if pin is not None and pin.problem is None and pin.data != NO_VERSION else None
