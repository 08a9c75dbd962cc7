"""Files of one's own: which source each is of, in which order folders are delivered, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medallion import feed
from medallion.conf import Conf
from medallion.errors import ConfError
from medallion.landing import Landing

CONF = """
description: Sales
sources:
  orders: {format: json, delivers: events, system: till}
  orders_archive: {format: json, delivers: events, system: till}
  customers: {format: csv, delivers: snapshot, system: crm, key: id}
"""


@pytest.fixture
def conf(project: Callable[..., Conf]) -> Conf:
    return project("sales", {}, CONF)


def _folder(root: Path, *places: str) -> Path:
    folder = root / "mine"
    for place in places:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {place}")
    return folder


def _sorted(conf: Conf, folder: Path) -> list[dict[str, list[str]]]:
    return [
        {source: [str(path.relative_to(folder)) for path in paths] for source, paths in drop.files.items()}
        for drop in feed.sort_folder(conf, folder)
    ]


def test_files_are_told_by_the_folder_of_their_source_or_by_how_their_names_begin(conf: Conf, tmp_path: Path) -> None:
    places = (
        "customers.csv",
        "orders/10.json",
        "orders/9.json",
        "orders/export.ndjson",
        "orders-2.jsonl",
        "orders3.json",
    )
    folder = _folder(tmp_path, *places)

    assert _sorted(conf, folder) == [
        {
            "customers": ["customers.csv"],
            "orders": ["orders/9.json", "orders/10.json", "orders/export.ndjson", "orders3.json", "orders-2.jsonl"],
        }
    ]


def test_of_two_sources_the_longer_name_counts(conf: Conf, tmp_path: Path) -> None:
    folder = _folder(tmp_path, "orders_archive-1.json", "orders_1.json", "orders_archive/orders.json")

    assert _sorted(conf, folder) == [
        {"orders": ["orders_1.json"], "orders_archive": ["orders_archive/orders.json", "orders_archive-1.json"]}
    ]


def test_sub_folders_are_deliveries_in_the_order_of_their_numbers_after_the_folders_own_files(
    conf: Conf, tmp_path: Path
) -> None:
    folder = _folder(tmp_path, "day-10/orders.json", "day-9/orders/1.json", "day-9/customers.csv", "customers.csv")

    assert _sorted(conf, folder) == [
        {"customers": ["customers.csv"]},
        {"customers": ["day-9/customers.csv"], "orders": ["day-9/orders/1.json"]},
        {"orders": ["day-10/orders.json"]},
    ]


def test_packed_files_are_of_the_source_that_they_would_be_unpacked(conf: Conf, tmp_path: Path) -> None:
    folder = _folder(tmp_path, "customers.csv.gz", "orders.jsonl.gz", "orders/all.zip")

    assert _sorted(conf, folder) == [
        {"customers": ["customers.csv.gz"], "orders": ["orders/all.zip", "orders.jsonl.gz"]}
    ]
    with pytest.raises(ConfError, match=r"cannot tell which source delivers orders\.csv\.gz"):
        feed.sort_folder(conf, _folder(tmp_path / "other", "orders.csv.gz"))


def test_hidden_files_and_empty_folders_are_passed_over(conf: Conf, tmp_path: Path) -> None:
    folder = _folder(tmp_path, "orders.json", ".DS_Store", "orders/.hidden.txt", ".git/config")
    (folder / "empty").mkdir()

    assert _sorted(conf, folder) == [{"orders": ["orders.json"]}]


@pytest.mark.parametrize(
    "place",
    [
        "notes.txt",
        "2026-01-01/notes.txt",
        "orders.csv",
        "customers.json",
        "orders/1.csv",
        "orders.JSONL",  # it would be read as one payload
        "orders",
        "ordersummary.json",
        "old-orders.json",
        "orders/2026/1.json",
        "2026/01/orders.json",
        "orders/2026.json/1.json",
    ],
)
def test_a_file_of_no_source_is_refused_with_what_is_wanted(conf: Conf, tmp_path: Path, place: str) -> None:
    folder = _folder(tmp_path, "customers.csv", place)

    with pytest.raises(ConfError) as refused:
        feed.sort_folder(conf, folder)

    named = "/".join(Path(place).parts[:2])
    first, *wanted = str(refused.value).splitlines()
    assert first.startswith(f"{folder}: cannot tell which source delivers {named}; wanted")
    assert [line.split(maxsplit=1) for line in wanted] == [
        ["orders", ".json or .jsonl or .ndjson"],
        ["orders_archive", ".json or .jsonl or .ndjson"],
        ["customers", ".csv"],
    ]


def test_a_folder_that_is_missing_or_empty_is_refused(conf: Conf, tmp_path: Path) -> None:
    with pytest.raises(ConfError, match=r"mine: no such folder; wanted, for each source"):
        feed.sort_folder(conf, tmp_path / "mine")
    with pytest.raises(ConfError, match=r"mine: found no file; wanted, for each source"):
        feed.sort_folder(conf, _folder(tmp_path, ".hidden"))


def test_a_file_name_that_is_there_twice_in_a_delivery_is_refused(conf: Conf, tmp_path: Path) -> None:
    folder = _folder(tmp_path, "7/orders-1.json", "7/orders/orders-1.json")

    with pytest.raises(ConfError, match=r"mine/7: found orders-1.json twice; wanted each file name once"):
        feed.sort_folder(conf, folder)


def test_a_folder_is_delivered_source_by_source_and_its_files_are_only_read(conf: Conf, tmp_path: Path) -> None:
    folder = _folder(tmp_path, "customers.csv", "orders/1.json", "orders/2.json", "later/orders.json")
    for path in folder.rglob("*.*"):
        path.chmod(0o444)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.*")}

    first, later = feed.sort_folder(conf, folder)
    landed = feed.land_folder(conf, first)
    feed.land_folder(conf, later)

    assert [(one.source, one.number, one.files) for one in landed.deliveries] == [("customers", 1, 1), ("orders", 1, 2)]
    orders = Landing(conf, "orders")
    contents = [content.decode() for manifest in orders.after(0) for _, content in orders.contents(manifest)]
    assert contents == ["content of orders/1.json", "content of orders/2.json", "content of later/orders.json"]
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.*")} == before
