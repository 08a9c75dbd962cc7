"""Invariant 1: nothing acknowledged is lost: landing is as received, bronze has all of it; for inboxes see `posted`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from medallion.audit import posted, sql
from medallion.audit.finding import Result, first_line
from medallion.audit.pins import Pin, Pinned
from medallion.conf import Source
from medallion.errors import LandingError
from medallion.landing import Landing, Manifest
from medallion.tables import Bronze

MOST_RECORDS = 100_000  # of a source that are looked for in bronze
_COLUMNS = "_record_id, _identity, _payload_sha256, _key, fields, payload, _delivery, _position"


@dataclass
class Compared:
    """What came of looking for a source's records in bronze; each a description of one record."""

    records: int = 0
    lost: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    unhashed: list[str] = field(default_factory=list)


def check(pinned: Pinned, result: Result) -> None:
    """Follow what was received: from the inbox to landing, and from there to bronze."""
    for source, newest in pinned.landing.items():
        manifests = _manifests(pinned, source, newest, result)
        _files(pinned, source, manifests, result)
        if source in pinned.inboxes:
            posted.check(pinned, source, manifests, result)
    for table, pin in pinned.of(Bronze):
        with result.perhaps(pin.name):
            _chain(pin, table.source, pinned.landing[table.source], result)
            _records(pinned, table, pin, result)
    for name, table in pinned.run.tables.items():
        if isinstance(table, Bronze) and name not in pinned.tables and pinned.landing[table.source]:
            result.skip(name, f"it is not there yet: {pinned.landing[table.source]} deliveries were not taken in")


def _manifests(pinned: Pinned, source: str, newest: int, result: Result) -> list[Manifest]:
    """Return the deliveries there are; their numbers have no gaps, unless landing may let the oldest go."""
    landing = Landing(pinned.conf, source)
    found: list[Manifest] = []
    gone: list[str] = []
    for number in range(1, newest + 1):
        try:
            manifest = landing.manifest(number)
        except LandingError as error:
            if not found and pinned.conf.platform.storage.landing.keep_rows is not None:
                continue
            gone.append(str(error))
            continue
        found.append(manifest)
        if (manifest.number, manifest.source) != (number, source):
            gone.append(f"manifest {number} says it is delivery {manifest.number} of {manifest.source}")
    result.saw("deliveries", newest)
    if gone:
        result.red(f"landing.{source}", "deliveries have no manifest that can be read", gone, _restore(landing))
    if found and found[0].number > 1:
        result.skip(f"landing.{source}", f"deliveries 1 to {found[0].number - 1}, which landing has let go")
    return found


def _restore(landing: Landing) -> str:
    return f"restore it below {landing.folder} from a copy; bronze still has what it took in"


def _files(pinned: Pinned, source: str, manifests: list[Manifest], result: Result) -> None:
    """Files of deliveries are there as received."""
    landing = Landing(pinned.conf, source)
    wrong: list[str] = []
    read = pinned.chosen(manifests, f"deliveries of {source}")
    chosen = {manifest.number for manifest in read}
    for manifest in manifests:
        for file in manifest.files:
            path = landing.folder / file.path
            told = f"delivery {manifest.number}: {path}"
            if not path.is_file():
                wrong.append(f"{told}: not there")
            elif path.stat().st_size != file.bytes:
                wrong.append(f"{told}: {path.stat().st_size} bytes, its manifest says {file.bytes}")
            elif manifest.number in chosen and sha256(path.read_bytes()).hexdigest() != file.sha256:
                wrong.append(f"{told}: its bytes differ from its manifest")
        digest = sha256("".join(file.sha256 for file in manifest.files).encode()).hexdigest()
        if digest != manifest.sha256:
            wrong.append(f"delivery {manifest.number}: its manifest's sha256 is not that of its files")
        result.saw("files", len(manifest.files))
    if len(read) < len(manifests):
        result.skip(f"landing.{source}", f"the bytes of {len(manifests) - len(read)} deliveries (sampled)")
    if wrong:
        result.red(f"landing.{source}", "files differ from what was received", wrong, _restore(landing))


def _chain(pin: Pin, source: str, newest: int, result: Result) -> None:
    """Bronze's commits took in deliveries one after another, none left out."""
    name = f"landing.{source}"
    wrong: list[str] = []
    before: int | None = None
    for entry, account in pin.log.accounts():
        mark = account.watermark.get(name)
        if mark is None:
            wrong.append(f"version {entry.version}: took in {', '.join(account.watermark) or 'nothing'}")
            continue
        if before is not None and mark.since not in (before, -1):
            wrong.append(f"version {entry.version}: deliveries after {mark.since}, the one before ended at {before}")
        if mark.version > newest:
            wrong.append(f"version {entry.version}: delivery {mark.version}, the newest is {newest}")
        before = mark.version
    if wrong:
        told = f"compare {pin.path} with its landing; `medallion history {pin.name}` lists what it took in"
        result.red(pin.name, "its commits do not take in the deliveries one after another", wrong, told)


def _records(pinned: Pinned, table: Bronze, pin: Pin, result: Result) -> None:
    """Every record of the deliveries that bronze took in is there, as it was received; and nothing besides."""
    source = f"landing.{table.source}"
    mark = pin.account.watermark.get(source) if pin.account else None
    if mark is None:
        return
    landing = Landing(pinned.conf, table.source)
    first = _first_kept(pin, landing, pinned.conf.source(table.source), result)
    numbers = pinned.chosen(list(range(first, mark.version + 1)), f"records of {table.source}")
    compared = Compared()
    looked, trouble = 0, ""
    for number in numbers:
        if compared.records >= MOST_RECORDS:
            break
        try:
            _delivery(pinned, table, pin, landing.manifest(number), compared)
            looked += 1
        except Exception as error:  # noqa: BLE001  one that cannot be read is told, and the others are looked at
            trouble = trouble or f"; delivery {number} cannot be read: {first_line(error)}"
    result.saw("records", compared.records)
    there = mark.version - first + 1
    if looked < there:
        told = trouble or " (sampled)"
        result.skip(pin.name, f"records of {there - looked} of {there} deliveries{told}")
    _tell(pin, table, compared, result)


def _first_kept(pin: Pin, landing: Landing, source: Source, result: Result) -> int:
    """Return the first delivery that both landing and bronze still have as it was; says what retention has removed.

    What an extract brought is told by the one before it, which must be there, too.
    """
    removed = (pin.newest.removed if pin.newest else None) or {}
    through, oldest = pin.newest.removed_through if pin.newest else 0, max(1, landing.oldest())
    if through:
        told = (
            f"{removed['rows']} records of deliveries up to {through}, which keep_rows removed, last on {removed['on']}"
        )
        result.skip(pin.name, told)
    if oldest > 1 and source.delivers == "snapshot":
        oldest = oldest + 1 if source.extract == "delivery" else landing.newest() + 1
    if oldest > through + 1:
        result.skip(pin.name, f"records of deliveries up to {oldest - 1}, which landing has let go, wholly or in part")
    return max(through + 1, oldest)


def _delivery(pinned: Pinned, table: Bronze, pin: Pin, manifest: Manifest, compared: Compared) -> None:
    from medallion.records import identity, read

    source = pinned.conf.source(table.source)
    batch = read(Landing(pinned.conf, table.source), source, [manifest])
    found = identity.identified(batch.table, source).to_pylist()
    compared.records += len(found)
    by_hash: dict[str, list[dict[str, Any]]] = {}
    for row in sql.where_in(pin, _COLUMNS, "_payload_sha256", (r["_payload_sha256"] for r in found), pin.version):
        by_hash.setdefault(row["_payload_sha256"], []).append(row)
    wanted: set[tuple[str, str]] = set()
    for record in found:
        wanted.add((record["_identity"], record["_payload_sha256"]))
        told = f"delivery {manifest.number}, {record['landing_file']}, record {record['position']}"
        stored = by_hash.get(record["_payload_sha256"], [])
        if not stored:
            compared.lost.append(told)
        elif not any(_same(record, row) for row in stored):
            compared.other.append(f"{told}: stored as {stored[0]['_record_id']}")
    held = f"SELECT {_COLUMNS} FROM t WHERE _delivery = {manifest.number}"
    for row in sql.rows(pin, held, pin.version):
        told = f"{row['_record_id']} (delivery {manifest.number})"
        if sha256(row["payload"].encode()).hexdigest() != row["_payload_sha256"]:
            compared.unhashed.append(told)
        elif (row["_identity"], row["_payload_sha256"]) not in wanted:
            compared.surplus.append(told)


def _same(record: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Tell whether bronze has a record as its delivery has it; the place may be that of an equal one before."""
    told = (record["_identity"], record["_key"], _cells(record["fields"]))
    if told != (row["_identity"], row["_key"], _cells(row["fields"])):
        return False
    identity, content = str(row["_identity"]), str(row["_payload_sha256"])
    return row["_record_id"] in (identity, sha256((identity + content).encode()).hexdigest())


def _cells(fields: Any) -> list[tuple[str, str | None]] | None:
    return None if fields is None else sorted(dict(fields).items())


def _tell(pin: Pin, table: Bronze, compared: Compared, result: Result) -> None:
    next_ = (
        f"`medallion history {pin.name}` lists what it took in; the deliveries still hold the records: restore "
        f"{pin.path}, or deliver them anew"
    )
    if compared.lost:
        result.red(pin.name, "records that were delivered are not in it", compared.lost, next_)
    if compared.unhashed:
        result.red(pin.name, "payloads differ from their hashes", compared.unhashed, next_)
    if len(compared.other) * 2 > compared.records and compared.records > 2:
        why = f"identities of records: by today's conf of {table.source} most are others than when they came"
        result.skip(pin.name, why)
        return
    if compared.other:
        result.red(pin.name, "records have another identity, key or cells than their delivery", compared.other, next_)
    if compared.surplus:
        result.red(pin.name, "records that no delivery has", compared.surplus, next_)
