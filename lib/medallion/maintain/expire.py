"""Rows of bronze that are older than its layer keeps them, and the deliveries of landing that are older than that.

What goes is all of the oldest deliveries up to one, and never what has yet to be read: of bronze what a silver table
has not taken in, of landing what bronze has not, or what the next extract is compared with. A record of an extract that
still stands in the newest one stays, however old: it is stored when it comes, and not again.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from medallion import clock, query
from medallion.audit.pins import Pin, Pinned
from medallion.errors import LandingError
from medallion.landing import Landing, Manifest
from medallion.records.batch import last_extracts, payloads
from medallion.tables import Bronze, Silver


@dataclass(frozen=True)
class Expired:
    """Records of deliveries up to ``through`` that go, and why later ones that are old enough stay.

    ``staying`` are hashes of payloads that stay, of an extract's records; None of events.
    """

    through: int
    rows: int
    held: tuple[str, ...]
    staying: frozenset[str] | None = None


@dataclass(frozen=True)
class Deliveries:
    """Deliveries of a source that go: from ``first`` to ``last``, and what their files hold."""

    source: str
    first: int
    last: int
    files: int
    bytes: int
    held: tuple[str, ...]


def of_bronze(pinned: Pinned, table: Bronze, pin: Pin) -> Expired | None:
    """Return which records of a bronze table are too old, None where none are or conf keeps them for good."""
    kept = pinned.conf.platform.storage.bronze.keep_rows
    if kept is None or pin.account is None:
        return None
    before = clock.now() - kept
    through = _old_through(pin, before)
    if through == 0:
        return None
    limits = dict(_limits(pinned, table, pin))
    held = tuple(
        f"{name} has taken in deliveries up to {taken}, {through} are old enough"
        for name, taken in limits.items()
        if taken < through
    )
    through = min([through, *limits.values()])
    try:
        staying = _standing(pinned, table, pin)
    except LandingError as error:
        return Expired(0, 0, (f"which records stand in its newest extract cannot be told: {error}",))
    rows = query.select(pin.path, f"SELECT _payload_sha256 FROM t WHERE _delivery <= {through}", pin.version)
    going = sum(row["_payload_sha256"] not in staying for row in rows) if staying else len(rows)
    return Expired(through, going, held, staying) if going or held else None


def _old_through(pin: Pin, before: dt.datetime) -> int:
    """Return the last delivery that is too old with all before it; 0 where none is."""
    told = [
        file.told().get("minValues", {}).get("_received_at") for file in pin.log.snapshot(pin.version).files.values()
    ]
    if told and all(one is not None and dt.datetime.fromisoformat(one) >= before for one in told):
        return 0
    moment = f"""arrow_cast('{before.isoformat()}', 'Timestamp(Microsecond, Some("UTC"))')"""
    (found,) = query.select(
        pin.path,
        f"SELECT max(_delivery) AS newest, min(CASE WHEN _received_at >= {moment} THEN _delivery END) AS young FROM t",
        pin.version,
    )
    return int(found["newest"] or 0) if found["young"] is None else int(found["young"]) - 1


def _limits(pinned: Pinned, table: Bronze, pin: Pin) -> Iterator[tuple[str, int]]:
    """Yield the silver tables that read a bronze table, with the delivery up to which each has taken it in."""
    for name, reader in pinned.run.tables.items():
        if not isinstance(reader, Silver) or reader.reads != table.name:
            continue
        account = pinned.tables[name].newest if name in pinned.tables else None
        mark = account.watermark.get(table.name) if account else None
        entry = pin.log.entries.get(mark.version) if mark and mark.table_id == pin.table_id else None
        taken = entry.account.watermark.get(f"landing.{table.source}") if entry and entry.account else None
        yield name, taken.version if taken else 0


def _standing(pinned: Pinned, table: Bronze, pin: Pin) -> frozenset[str] | None:
    """Return the hashes of payloads that the newest extract of a source holds; None of a source of events."""
    source = pinned.conf.source(table.source)
    if source.delivers != "snapshot":
        return None
    landing = Landing(pinned.conf, table.source)
    taken = pin.account.watermark[f"landing.{table.source}"].version if pin.account else 0
    found = (one for extract in last_extracts(landing, source, taken) for one in payloads(landing, source, extract))
    return frozenset(sha256(payload.encode()).hexdigest() for payload in found)


def of_landing(pinned: Pinned, source: str) -> Deliveries | None:
    """Return which deliveries of a source are too old, None where none are or conf keeps them for good."""
    kept = pinned.conf.platform.storage.landing.keep_rows
    landing = Landing(pinned.conf, source)
    if kept is None or landing.newest() == 0:
        return None
    before = clock.now() - kept
    old: list[Manifest] = []
    for number in range(landing.oldest(), landing.newest() + 1):
        manifest = landing.manifest(number)
        if dt.datetime.fromisoformat(manifest.received_at) >= before:
            break
        old.append(manifest)
    if not old:
        return None
    limit, why = _landing_limit(pinned, landing, source)
    held = (f"delivery {limit + 1}: {why}",) if limit < old[-1].number else ()
    going = [manifest for manifest in old if manifest.number <= limit]
    files = sum(len(manifest.files) for manifest in going)
    first, last = (going[0].number, going[-1].number) if going else (0, 0)
    return Deliveries(source, first, last, files, sum(manifest.bytes for manifest in going), held)


def _landing_limit(pinned: Pinned, landing: Landing, name: str) -> tuple[int, str]:
    """Return the last delivery that may go, and why the next one may not."""
    source = pinned.conf.source(name)
    limits = [(landing.newest() - 1, "it is the newest, which the next one is numbered and compared by")]
    if source.delivers == "snapshot":
        last = min((extract.number for extract in last_extracts(landing, source, landing.newest())), default=1)
        limits.append((last - 1, "the next extract is compared with it"))
    for table in pinned.run.tables.values():
        if isinstance(table, Bronze) and table.source == name:
            pin = pinned.tables.get(table.name)
            mark = pin.newest.watermark.get(f"landing.{name}") if pin and pin.newest else None
            limits.append((mark.version if mark else 0, f"{table.name} has yet to take it in"))
    return min(limits)
