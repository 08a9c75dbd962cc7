"""Deliveries as a batch of records; of an extract only what the one before did not hold.

Reading is done on the driver: thousands of small webhook files are read in well under a second, where a Spark job
would list each; and large plain ones by the column (`plain`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medallion.conf import Source
from medallion.errors import LandingError
from medallion.landing import Landing, Manifest
from medallion.records.file import records
from medallion.records.packed import PackedError, unpacked
from medallion.records.record import Record

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Batch:
    """Records of some deliveries: ``read`` counts all, ``table`` holds those that are not repeats of an extract.

    Columns: payload, fields, rescued, event_key, problem, position, landing_file, delivery, received_at, and
    occurrence, which tells equal payloads of a delivery apart. ``received`` counts records read, and deliveries, by
    the UTC day on which landing received them.
    """

    read: int
    repeats: int
    table: "pa.Table"
    received: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def unknown_columns(self) -> list[str]:
        """Return the names of columns that conf does not name, sorted."""
        import pyarrow.compute as pc

        maps = pc.drop_null(self.table["rescued"])
        return sorted({name for chunk in maps.chunks for name in pc.unique(chunk.keys).to_pylist()})


def read(landing: Landing, source: Source, manifests: Sequence[Manifest]) -> Batch:
    """Read deliveries; of an extract, only what the extract before did not already hold.

    An extract's rows are news only against the extract before: A, B, A are three records, while a row
    carried along unchanged is counted as a repeat. The occurrence number keeps identical rows apart. An extract
    is a delivery, or each of its files (`Source.extract`): then the one before is the last file of that name.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from medallion.records import plain

    schema = pa.schema(
        [
            *plain.FOUND,
            ("delivery", pa.int64()),
            ("received_at", pa.timestamp("us", tz="UTC")),
            ("occurrence", pa.int64()),
        ]
    )
    parts: list[pa.Table] = []
    counted = {manifest.number: 0 for manifest in manifests}
    earlier = _earlier(landing, source, manifests)
    for extract in _extracts(source, manifests):
        found = _delivery(landing, source, extract)
        counted[extract.number] += len(found)
        received_at = pa.scalar(datetime.fromisoformat(extract.received_at), schema.field("received_at").type)
        occurrence = plain.occurrences(found["payload"])
        placed = [pa.repeat(extract.number, len(found)), pa.repeat(received_at, len(found)), occurrence]
        found = pa.table([*found.columns, *placed], schema=schema)
        before = _extract_before(landing, source, extract, earlier)
        if before is not None:
            found = found.filter(pc.greater(occurrence, plain.times_in(before["payload"], found["payload"])))
        parts.append(found)
    table = plain.concatenated(parts, schema)
    total = sum(counted.values())
    return Batch(total, total - len(table), table, _by_day(manifests, counted))


def _by_day(manifests: Sequence[Manifest], counted: Mapping[int, int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for manifest in manifests:
        day = str(datetime.fromisoformat(manifest.received_at).astimezone(UTC).date())
        rows, deliveries = found.get(day, (0, 0))
        found[day] = [rows + counted[manifest.number], deliveries + 1]
    return found


def last_extracts(landing: Landing, source: Source, newest: int) -> list[Manifest]:
    """Return the extracts that the next ones are compared with: the newest delivery, or the last file of each name."""
    if newest == 0:
        return []
    manifest = landing.manifest(newest)
    if source.extract != "file":
        return [manifest]
    found = {name: numbers[-1] for name, numbers in _earlier(landing, source, [manifest]).items()}
    of_file = [(name, landing.manifest(number)) for name, number in found.items()]
    return [replace(one, files=tuple(file for file in one.files if file.name == name)) for name, one in of_file]


def payloads(landing: Landing, source: Source, extract: Manifest) -> Iterator[str]:
    """Yield the payloads of an extract's records."""
    yield from _delivery(landing, source, extract)["payload"].to_pylist()


def _extracts(source: Source, manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yield each extract as a manifest of its files."""
    for manifest in manifests:
        if source.extract == "file":
            yield from (replace(manifest, files=(file,)) for file in manifest.files)
        else:
            yield manifest


def _earlier(landing: Landing, source: Source, manifests: Sequence[Manifest]) -> Mapping[str, Sequence[int]]:
    """Return for each file name the deliveries, oldest first, that held one; asked only where a file is an extract."""
    if source.extract != "file" or not manifests:
        return {}
    held: dict[str, list[int]] = {}
    for number in range(1, manifests[-1].number + 1):
        try:
            files = landing.manifest(number).files
        except LandingError:
            continue  # landing has let it go
        for file in files:
            held.setdefault(file.name, []).append(number)
    return held


def _extract_before(
    landing: Landing, source: Source, extract: Manifest, earlier: Mapping[str, Sequence[int]]
) -> "pa.Table | None":
    """Return the extract before this one; none for events, for the first, or where landing has let it go."""
    if source.delivers != "snapshot":
        return None
    name = extract.files[0].name if source.extract == "file" else None
    numbers = range(1, extract.number) if name is None else [n for n in earlier[name] if n < extract.number]
    if not numbers:
        return None
    try:
        before = landing.manifest(numbers[-1])
        kept = before.files if name is None else tuple(file for file in before.files if file.name == name)
        return _delivery(landing, source, replace(before, files=kept))
    except LandingError:
        return None  # then every row counts as news, which costs time and changes nothing


def _delivery(landing: Landing, source: Source, manifest: Manifest) -> "pa.Table":
    """Return the records of a delivery, in the order of its files."""
    from medallion.records import plain

    parts: list[pa.Table] = []
    gathered: list[tuple[str, Record]] = []
    for file, packed in landing.contents(manifest):
        try:
            content, name = unpacked(packed, file.name)
        except PackedError as error:
            gathered.append((file.path, Record("", 1, problem=str(error))))
            continue
        found = plain.read_plain(content, name, file.path, source)
        if found is None:
            gathered += [(file.path, record) for record in records(content, name, source)]
        else:
            parts += [plain.from_records(gathered), found]
            gathered = []
    return plain.concatenated([*parts, plain.from_records(gathered)], plain.FOUND)
