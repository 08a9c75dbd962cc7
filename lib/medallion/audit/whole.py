"""Invariant 7: logs and files are whole: versions without gaps, files as the log says, accounts that point rightly."""

import json
from collections.abc import Iterator
from pathlib import Path

from medallion import checksum
from medallion.audit import files
from medallion.audit.finding import Result, first_line
from medallion.audit.log import Entry, Log, Snapshot, checkpoint_actions
from medallion.audit.pins import Pin, Pinned
from medallion.lake import HARMLESS

# What this audit knows how to read; a table with another feature may hold rows in a way that is not looked at.
FEATURES = {
    "deletionVectors",
    "invariants",
    "changeDataFeed",
    "appendOnly",
    "inCommitTimestamp",
    "checkConstraints",
    "generatedColumns",
    "columnMapping",
    "v2Checkpoint",
    "domainMetadata",
    "rowTracking",
    "timestampNtz",
    "vacuumProtocolCheck",
}


def check(pinned: Pinned, result: Result) -> None:
    """Hold every table and quarantine against its own log and files."""
    for pin in pinned.every():
        result.saw("tables", 1)
        result.saw("versions", len(pin.log.entries))
        if pin.problem:
            result.red(pin.name, pin.problem, [str(pin.log.place)], files.restore(pin))
        _versions(pin, result)
        _features(pin, result)
        _foreign(pin, result)
        with result.perhaps(pin.name):
            _replayed(pin, result)
        if pin.problem is None:
            with result.perhaps(pin.name):
                files.check(pinned, pin, result)
            _pointers(pin, result)


def _versions(pin: Pin, result: Result) -> None:
    """Versions follow each other, each is there once, by one transaction, of one table."""
    log = pin.log
    gaps = [v for v in range(log.oldest, log.newest + 1) if v not in log.entries]
    if gaps:
        told = [f"version {v}: {log.place / f'{v:020d}.json'}" for v in gaps]
        result.red(pin.name, "versions are missing in its log", told, files.restore(pin))
    if log.lost:
        told = [f"version {version}: {log.place / f'{version:020d}.crc'}" for version in log.lost]
        result.red(pin.name, "its newest versions are missing: only their sums are there", told, files.restore(pin))
    if not log.entries:
        return
    if log.oldest > 0 and not log.checkpoints:
        told = [f"version {v}" for v in range(log.oldest)]
        result.red(
            pin.name, "its log begins late, and no checkpoint stands for what came before", told, files.restore(pin)
        )
    _once(pin, result)
    ids = {a["id"]: entry.version for entry in log.entries.values() for a in entry.of("metaData")}
    if len(ids) > 1:
        told = [f"version {version}: {table_id}" for table_id, version in ids.items()]
        result.red(pin.name, "its table id changes: it was recreated in place", told, _rerun(pin))
    sums = (entry for entry in log.entries.values() if checksum.read_and_differs(entry.path))
    if changed := [f"version {entry.version}: {entry.path}" for entry in sums]:
        result.red(pin.name, "entries of its log differ from the checksums beside them", changed, files.restore(pin))


def _once(pin: Pin, result: Result) -> None:
    """No two commits are of one transaction."""
    seen: dict[str, int] = {}
    for entry in pin.log.entries.values():
        of_app = [f"{a['appId']} {a['version']}" for a in entry.of("txn")]
        for told in filter(None, (entry.info.get("txnId"), *of_app)):
            if told in seen:
                examples = [f"versions {seen[told]} and {entry.version}: {told}"]
                result.red(pin.name, "two commits are of one transaction", examples, _rerun(pin))
                return
            seen[told] = entry.version


def _rerun(pin: Pin) -> str:
    pipeline, layer, table = pin.name.split(".")
    if layer == "bronze":
        return f"compare its rows with landing, then RESTORE TABLE delta.`{pin.path}` to a version before"
    layer = "silver" if layer == "quarantine" else layer
    return f"medallion run {pipeline} --table {layer}.{table}  (refreshes in full what was changed by hand)"


def _features(pin: Pin, result: Result) -> None:
    found = [a for entry in pin.log.entries.values() for a in entry.of("protocol")]
    strange = {f for a in found for f in (*(a.get("readerFeatures") or ()), *(a.get("writerFeatures") or ()))}
    for feature in sorted(strange - FEATURES):
        result.skip(pin.name, f"its table feature {feature} is not known to the audit")


def _foreign(pin: Pin, result: Result) -> None:
    """What others did to its rows after the last commit of ours; older ones were taken care of by a full refresh."""
    by_hand: list[str] = []
    data = -1
    for entry in pin.log.entries.values():
        if entry.account is not None:
            by_hand, data = [] if entry.moves_rows else by_hand, entry.account.data
        elif entry.operation == "RESTORE" and str(entry.info.get("operationParameters", {}).get("version")) == str(
            data
        ):
            by_hand = []  # put back as the engine left it
        elif entry.problem is None and (_is_harm(entry) or _was_ours(entry)):
            by_hand.append(f"version {entry.version}: {entry.operation or 'unknown'}")
    if by_hand:
        result.red(pin.name, "commits that are not of this engine, or no longer", by_hand, _rerun(pin))


def _is_harm(entry: Entry) -> bool:
    return entry.operation not in HARMLESS or (entry.moves_rows and entry.operation not in ("OPTIMIZE", "REORG"))


def _was_ours(entry: Entry) -> bool:
    """Tell whether a commit was made by the engine, though its account cannot be read."""
    told = (entry.info.get("userMetadata"), entry.info.get("operationParameters"))
    return any("medallion" in str(one) for one in told)


def _replayed(pin: Pin, result: Result) -> None:
    """Each version replayed from the commits is what its checkpoint, and Delta's own sums of it, say."""
    for version, state in pin.log.snapshots():
        path = pin.log.checkpoints.get(version)
        if path is not None and pin.log.oldest <= version:
            result.saw("checkpoints", 1)
            _checkpoint(pin, version, path, state, result)
        _sums(pin, version, state, result)


def _checkpoint(pin: Pin, version: int, path: Path, state: Snapshot, result: Result) -> None:
    stored = Snapshot()
    next_ = f"remove {path} and _last_checkpoint while nothing runs: the commits tell the same"
    try:
        stored.apply(checkpoint_actions(path))
    except Exception as error:  # noqa: BLE001  a reader of Parquet raises many kinds
        result.red(pin.name, f"its checkpoint cannot be read: {first_line(error)}", [str(path)], next_)
        return
    if (stored.files, stored.table_id) != (state.files, state.table_id):
        names = sorted({f.path for f in set(stored.files.values()) ^ set(state.files.values())})
        told = [f"{path.name}: {name}" for name in names] or [f"{path}: table id {stored.table_id}"]
        result.red(pin.name, f"its checkpoint of version {version} differs from the commits before it", told, next_)


def _sums(pin: Pin, version: int, state: Snapshot, result: Result) -> None:
    """Hold a version against the .crc that Delta writes beside it: how many files, how many bytes."""
    path = pin.log.place / f"{version:020d}.crc"
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return  # not every writer makes one
    told = (found.get("numFiles"), found.get("tableSizeBytes"))
    if told != (len(state.files), state.bytes):
        result.red(
            pin.name,
            f"version {version}: replayed {len(state.files)} files of {state.bytes} bytes, Delta wrote down {told[0]} "
            f"of {told[1]}",
            [str(path)],
            files.restore(pin),
        )


def _pointers(pin: Pin, result: Result) -> None:
    """An account's ``data`` and ``good`` are versions up to its own, and ``data`` is one that changed rows."""
    wrong = list(_wrong_pointers(pin.log))
    if wrong:
        result.red(pin.name, "accounts point at versions that are not what they say", wrong, _rerun(pin))


def _wrong_pointers(log: Log) -> Iterator[str]:
    before: int | None = None
    for entry, account in log.accounts():
        wanted = entry.version if entry.operation in ("WRITE", "MERGE", "DELETE") else before
        if wanted is not None and account.data != wanted:
            yield f"version {entry.version}: data {account.data}, but the last version that changed rows is {wanted}"
        if not -1 <= account.good <= account.data:
            yield f"version {entry.version}: good {account.good}, data {account.data}"
        before = account.data
