"""Files of tables: there, of their size, undamaged, and as their log describes them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medallion import checksum
from medallion.audit.finding import Result, first_line
from medallion.audit.log import File
from medallion.audit.pins import Pin, Pinned


def restore(pin: Pin) -> str:
    """Say what mends a table whose files are damaged."""
    return f"restore {pin.path} from a copy; readers of it fail, or see other rows"


def check(pinned: Pinned, pin: Pin, result: Result) -> None:
    """Files of the versions that readers and the next run read are there, of their size, and can be read."""
    versions = sorted({v for v in (pin.version, pin.data, pin.good) if 0 <= v <= pin.version})
    files = {f.path: f for v in versions for f in pin.log.snapshot(v).files.values()}
    found = list(files.values())
    gone: list[str] = []
    other: list[str] = []
    for file in found:
        path = pin.log.folder / file.path
        if not path.is_file():
            gone.append(str(path))
        elif path.stat().st_size != file.bytes:
            other.append(f"{path}: {path.stat().st_size} bytes, its log says {file.bytes}")
        if file.vector and checksum.read_and_differs(pin.log.folder / file.vector):
            other.append(f"{pin.log.folder / file.vector}: its bytes differ from the checksum beside it")
        if file.vector and not (pin.log.folder / file.vector).is_file():
            gone.append(str(pin.log.folder / file.vector))
    result.saw("files", len(found))
    if gone:
        result.red(pin.name, "files that its log names are not there", gone, restore(pin))
    if other:
        result.red(pin.name, "files differ from what its log says", other, restore(pin))
    read = pinned.chosen(found, f"files of {pin.name}")
    if len(read) < len(found):
        result.skip(pin.name, f"the content of {len(found) - len(read)} of {len(found)} files (sampled)")
    _contents(pin, read, result)


def _contents(pin: Pin, files: list[File], result: Result) -> None:
    """Read files as a whole: pages against their checksums, rows against the log's count, bytes against Hadoop's."""
    damaged: list[str] = []
    other: list[str] = []
    misled: list[str] = []
    without = 0
    for file in files:
        path = pin.log.folder / file.path
        if not path.is_file():
            continue
        differs = checksum.read_and_differs(path)
        without += differs is None
        if differs:
            damaged.append(f"{path}: its bytes differ from the checksum beside it")
            continue
        try:
            rows, untrue = _read(path, file)
        except Exception as error:  # noqa: BLE001  a reader of Parquet raises many kinds
            damaged.append(f"{path}: {first_line(error)}")
            continue
        result.saw("rows", rows)
        if file.rows is not None and rows != file.rows:
            other.append(f"{path}: {rows} rows, its log says {file.rows}")
        misled += untrue
    if damaged:
        result.red(pin.name, "files are damaged", damaged, restore(pin))
    if other:
        result.red(pin.name, "files have other numbers of rows than its log says", other, restore(pin))
    if misled:
        told = "statistics in its log are not those of its files: readers pass over rows that they look for"
        result.red(pin.name, told, misled, restore(pin))
    if without:
        result.skip(pin.name, f"{without} of {len(files)} files have no checksum beside them; Parquet's own was used")


def _read(path: Path, file: File) -> tuple[int, list[str]]:
    """Return a Parquet file's rows, and where its statistics are untrue; all pages are held against their checksums."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
        batches = parquet.iter_batches()
        count = 0
        nulls: Counter[str] = Counter()
        ranges: dict[str, tuple[int, int]] = {}
        for batch in batches:
            count += batch.num_rows
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                nulls[name] += column.null_count
                _widen(ranges, name, column)
    return count, [f"{path}: {what}" for what in _untrue(file, nulls, ranges)]


def _widen(ranges: dict[str, tuple[int, int]], name: str, column: Any) -> None:
    """Take a column of whole numbers into the ranges of values seen."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type) or column.null_count == len(column):
        return
    found = pc.min_max(column)
    least, most = found["min"].as_py(), found["max"].as_py()
    known = ranges.get(name, (least, most))
    ranges[name] = (min(known[0], least), max(known[1], most))


def _untrue(file: File, nulls: "Counter[str]", ranges: dict[str, tuple[int, int]]) -> Iterator[str]:
    """Yield what the log says of a file's columns and is not so: nulls, least and greatest whole numbers."""
    if file.deleted:
        return
    told = file.told()
    for name, count in told.get("nullCount", {}).items():
        if isinstance(count, int) and name in nulls and nulls[name] != count:
            yield f"{nulls[name]} nulls of {name}, its log says {count}"
    for name, (least, most) in ranges.items():
        floor, ceiling = (told.get(part, {}).get(name) for part in ("minValues", "maxValues"))
        if isinstance(floor, int) and least < floor:
            yield f"{name} is {least}, its log says at least {floor}"
        if isinstance(ceiling, int) and most > ceiling:
            yield f"{name} is {most}, its log says at most {ceiling}"
