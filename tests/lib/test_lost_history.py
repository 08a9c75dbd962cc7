"""History that is gone is noticed before it is read: a full refresh says so, or a refusal says the way out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from medallion.lake import Lake
from medallion.step import Outcome

pytestmark = pytest.mark.counts("history that is gone")

Factory = Callable[..., Any]
CONF = """
description: Orders with prices
sources:
  orders: {format: json, delivers: events, system: shop, idempotency_key: $.id}
  prices: {format: csv, delivers: snapshot, system: catalog}
expectations: {}
"""
MODULES = {
    "bronze/orders.py": "from medallion.tables import Bronze\ntable = Bronze(source='orders')",
    "bronze/prices.py": "from medallion.tables import Bronze\ntable = Bronze(source='prices')",
    "silver/prices.py": """
from medallion.parse import cell
from medallion.tables import CARRIED, Silver
table = Silver(reads="lost.bronze.prices", key=("product",), sequence=("_delivery",),
               columns={"product": ("string", "p"), "price": ("int", "price")})

@table.transform
def prices(records):
    return records.select(cell("product").alias("product"), cell("price").cast("int").alias("price"), *CARRIED)
""",
    "silver/orders.py": """
from pyspark.sql import functions as F
from medallion.tables import CARRIED, Lookup, Silver
table = Silver(reads="lost.bronze.orders", key=("id",), sequence=("_delivery",),
               lookups=(Lookup("lost.silver.prices", on={"product": "product"}, take={"price": "price"}),),
               columns={"id": ("string", "id"), "product": ("string", "p"), "price": ("int", "price")})

@table.transform
def orders(records):
    return records.withColumn("s", F.from_json("payload", "id string, product string")).select("s.*", *CARRIED)
""",
}
PRICES, ORDERS = "lost.silver.prices", "lost.silver.orders"


@pytest.fixture(scope="module")
def made(shared_scratch: Factory) -> Any:
    lake = shared_scratch("lost", MODULES, CONF)
    lake.deliver("orders", {"id": "1", "product": "tea"}, {"id": "2", "product": "rum"})
    lake.deliver("prices", "product,price\ntea,5\nrum,9\n", ending="csv")
    assert lake.run().passed
    lake.deliver("prices", "product,price\ntea,6\nrum,9\n", ending="csv")
    assert lake.run("lost.bronze.prices", PRICES).passed  # orders have not seen this yet
    return lake


@pytest.fixture
def lake(made: Any) -> Any:
    """The lake as it was made, whatever the test before did to it; tables name their files relative to themselves."""
    root = Path(made.conf.root("bronze")).parent
    kept = root.with_name("kept")
    if not kept.exists():
        shutil.copytree(root, kept)
    shutil.rmtree(root)
    shutil.copytree(kept, root)
    return made


def _log(lake: Any, name: str, version: int) -> Path:
    return Path(Lake(lake.conf).path(name), "_delta_log", f"{version:020}.json")


def _run(lake: Any, name: str = ORDERS) -> Outcome:
    (outcome,) = lake.run(name).outcomes
    return outcome


def _prices_of_orders(lake: Any) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in lake.rows(ORDERS, "id", "price").collect())


def test_a_feed_that_is_whole_is_followed(lake: Any) -> None:
    done = _run(lake)

    assert (done.technique, done.status) == ("affected_keys", "done")
    assert _prices_of_orders(lake) == [("1", 6), ("2", 9)]


def test_a_log_that_forgot_is_answered_by_a_full_refresh(lake: Any) -> None:
    lake.deliver("prices", "product,price\ntea,7\nrum,9\n", ending="csv")
    assert lake.run("lost.bronze.prices", PRICES).passed
    table = DeltaTable(Lake(lake.conf).path(PRICES))
    table.create_checkpoint()
    newest = table.version()
    for version in range(newest):
        _log(lake, PRICES, version).unlink()

    done = _run(lake)

    assert (done.technique, done.reason.split(":")[0]) == ("full", "history is gone")
    assert _prices_of_orders(lake) == [("1", 7), ("2", 9)]


def test_change_files_that_are_gone_are_answered_by_a_full_refresh(lake: Any) -> None:
    path = Path(Lake(lake.conf).path(PRICES))
    actions = [json.loads(line) for line in _log(lake, PRICES, 1).read_text().splitlines()]
    (told,) = [a["cdc"]["path"] for a in actions if "cdc" in a] or [
        a["remove"]["path"] for a in actions if "remove" in a
    ]
    (path / told).unlink()

    done = _run(lake)

    assert done.technique == "full"
    assert f"history is gone: {PRICES}: files of its change feed are gone: {told} of version 1" in done.reason
    assert _prices_of_orders(lake) == [("1", 6), ("2", 9)]


def test_a_feed_that_was_off_for_a_while_is_answered_by_a_full_refresh(lake: Any, spark: Any) -> None:
    path = Lake(lake.conf).path(PRICES)
    for enabled in ("false", "true"):
        spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableChangeDataFeed' = '{enabled}')")
    lake.deliver("prices", "product,price\ntea,7\nrum,9\n", ending="csv")
    assert lake.run("lost.bronze.prices", PRICES).passed

    done = _run(lake)

    assert done.technique == "full"
    assert "its change feed was turned off at version 2" in done.reason
    assert _prices_of_orders(lake) == [("1", 7), ("2", 9)]


def test_a_table_whose_own_files_are_gone_is_made_anew(lake: Any) -> None:
    table = DeltaTable(Lake(lake.conf).path(ORDERS))
    for uri in table.file_uris():
        Path(uri.removeprefix("file://")).unlink()

    done = _run(lake)

    assert done.technique == "full"
    assert "of its files are gone" in done.reason
    assert _prices_of_orders(lake) == [("1", 6), ("2", 9)]


def test_records_that_are_gone_are_not_passed_over(lake: Any) -> None:
    uri = DeltaTable(Lake(lake.conf).path("lost.bronze.orders")).file_uris()[0]
    Path(uri.removeprefix("file://")).unlink()
    before = lake.versions()

    done = _run(lake)

    assert done.status == "failed"
    assert f"lost.bronze.orders: version 0: 1 of its files are gone: {Path(uri).name}" in str(done.error)
    assert "wanted them back from a backup" in str(done.error)
    assert lake.versions() == before


@pytest.mark.parametrize("version", [0, 1])
def test_a_commit_that_is_empty_is_refused(lake: Any, version: int) -> None:
    place = _log(lake, PRICES, version)
    place.write_bytes(b"")  # by many readers taken for a commit of nothing

    assert f"_delta_log: found {place.name} empty; wanted the commit" in _refused(lake)


@pytest.mark.parametrize("harm", [lambda text: text[: len(text) // 2], lambda text: "nonsense\n" + text])
def test_a_commit_that_cannot_be_read_is_refused(lake: Any, harm: Callable[[str], str]) -> None:
    place = _log(lake, PRICES, 1)
    place.write_text(harm(place.read_text()))

    assert "wanted its commits as they were: bring the folder back from a backup" in _refused(lake)


def test_a_commit_that_is_missing_between_others_is_refused(lake: Any) -> None:
    _log(lake, PRICES, 0).unlink()  # its rows would be gone without a word

    assert "found no commit of version 0; wanted it: bring the file back from a backup" in _refused(lake)


def test_a_checkpoint_that_is_broken_is_told_with_what_mends_it(lake: Any) -> None:
    path = Path(Lake(lake.conf).path(PRICES))
    DeltaTable(path).create_checkpoint()
    (checkpoint,) = (path / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:50])

    assert "all its commits are there: remove _last_checkpoint and *.checkpoint.parquet" in _refused(lake)

    checkpoint.unlink()
    (path / "_delta_log" / "_last_checkpoint").unlink()
    assert _run(lake).technique == "affected_keys"


def test_a_newest_commit_that_is_lost_is_told(lake: Any) -> None:
    newest = DeltaTable(Lake(lake.conf).path(PRICES)).version()
    place = _log(lake, PRICES, newest)
    place.unlink()

    assert f"found the checksum of version {newest}, but no commit of it" in _refused(lake)

    place.with_suffix(".crc").unlink()
    state = Lake(lake.conf).state(PRICES)
    assert state is not None and state.version == newest - 1


def _refused(lake: Any) -> str:
    """Run, and return with what words it was refused; nothing was written."""
    done = _run(lake)
    assert done.status == "failed"
    return str(done.error)
