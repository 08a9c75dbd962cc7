"""Which files are worth to be written anew: many small ones, and large tables whose files overlap by their key."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from medallion.audit.log import File, Snapshot
from medallion.log_files import FILE_ROWS
from medallion.maintain import layout
from medallion.tables import Bronze, Silver

MB = 1024 * 1024
SILVER = Silver(reads="lab.bronze.x", key=("id", "line", "more"), columns={"id": ("bigint", "key")})


def _file(number: int, rows: int, size: int, ids: tuple[int, int] = (0, 1), deleted: int = 0) -> File:
    told = {"numRecords": rows, "minValues": {"id": ids[0]}, "maxValues": {"id": ids[1]}}
    return File(f"part-{number}", size, rows, deleted, None, json.dumps(told))


def _pin(*files: File, ordered: Any = None) -> Any:
    snapshot = Snapshot(files={file.path: file for file in files})
    entries = {0: ordered} if ordered else {}
    return SimpleNamespace(version=0, log=SimpleNamespace(snapshot=lambda _: snapshot, entries=entries))


def test_small_files_are_worth_it_once_eight_fewer_come_of_them() -> None:
    few = layout.of(_pin(*(_file(n, 100, 1000) for n in range(8))), Bronze(source="x"))
    many = layout.of(_pin(*(_file(n, 100, 1000) for n in range(9))), Bronze(source="x"))

    assert few is None
    assert many is not None
    assert (many.technique, many.files_after, many.why) == ("compact", 1, "9 small files")


def test_files_that_are_full_stay_and_no_new_one_has_more_rows_than_a_feed_can_tell() -> None:
    full = [_file(n, FILE_ROWS, 40 * MB) for n in range(5)]
    small = [_file(10 + n, FILE_ROWS // 4, 10 * MB) for n in range(16)]

    found = layout.of(_pin(*full, *small), Bronze(source="x"))

    assert found is not None
    assert found.sizes[0] == 10 * MB + 1
    assert found.sizes[1] <= 40 * MB
    assert layout.of(_pin(*full), Bronze(source="x")) is None


def test_rows_that_are_marked_as_deleted_are_taken_out() -> None:
    found = layout.of(_pin(_file(0, 1000, MB, deleted=200)), SILVER)

    assert found is not None and found.why == "20% of its rows are marked as deleted"


@pytest.mark.parametrize(("ids", "by"), [((0, 1000), ("id", "line")), (None, ())])
def test_a_large_table_is_clustered_where_its_files_overlap(ids: tuple[int, int] | None, by: tuple[str, ...]) -> None:
    files = [_file(n, FILE_ROWS, 40 * MB, ids or (n * 10, n * 10 + 9)) for n in range(10)]

    found = layout.of(_pin(*files), SILVER)

    assert (found.by if found else ()) == by
    assert layout.of(_pin(*files), Bronze(source="x")) is None  # its keys would stand in its log


def test_a_table_that_was_clustered_is_left_until_a_fifth_of_it_is_new() -> None:
    files = [_file(n, FILE_ROWS, 40 * MB, (0, 1000)) for n in range(10)]

    def clustered(laid: list[File]) -> Any:
        adds = [{"path": file.path} for file in laid]
        info = {"operationParameters": {"zOrderBy": '["id","line"]'}}
        return SimpleNamespace(info=info, of=lambda kind: adds if kind == "add" else [])

    assert layout.of(_pin(*files, ordered=clustered(files[:9])), SILVER) is None
    found = layout.of(_pin(*files, ordered=clustered(files[:7])), SILVER)
    assert found is not None and found.technique == "cluster"
