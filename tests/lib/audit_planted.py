"""What is planted in copies of the yard, and what the audit is to say of it.

`PLANTED` are found without Spark, `RECOMPUTED` only by making silver and gold anew.
"""

import datetime as dt
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from deltalake import DeltaTable

from medallion.landing import Landing
from tests.lib.audit_breaks import Copy, Row, flip, unsum

CENT = Decimal("0.01")


class Planted(NamedTuple):
    """What is broken, and what the audit is to say: which invariant, of what, with which words among its examples."""

    invariant: int
    subject: str
    says: str
    break_it: Callable[[Copy], Any]
    conf: tuple[str, ...] = ()


def _sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(truncate)")


def _cache(copy: Copy, *statements: str) -> None:
    _sql((Path(copy.conf.platform.cache.root) / "yard.silver.orders.sqlite").resolve(), *statements)


def _inbox(copy: Copy) -> Path:
    return Landing(copy.conf, "orders").folder / "inbox.sqlite"


def _row(rows: list[Row], **wanted: Any) -> Row:
    (found,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return found


def _set(**changes: Any) -> Callable[[list[Row]], None]:
    """Return what sets columns of the first row that readers see."""

    def change(rows: list[Row]) -> None:
        next(row for row in rows if not row.get("_deleted")).update(changes)

    return change


def _swap(column: str) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        first, second = rows[:2]
        assert first[column] != second[column]
        first[column], second[column] = second[column], first[column]

    return change


def _cent(column: str) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        row = next(row for row in rows if row[column] is not None)
        row[column] += CENT

    return change


def _payload(rows: list[Row], *, hashed: bool) -> None:
    row = next(row for row in rows if '"o1"' in row["payload"])
    row["payload"] = row["payload"].replace("1.50", "1.51")
    if hashed:
        row["_payload_sha256"] = sha256(row["payload"].encode()).hexdigest()


def _invented(rows: list[Row]) -> None:
    payload = rows[0]["payload"] + " "
    digest = sha256(payload.encode()).hexdigest()
    rows.append({**rows[0], "payload": payload, "_payload_sha256": digest, "_record_id": digest, "_identity": digest})


def _cell(rows: list[Row]) -> None:
    rows[0]["fields"] = [(name, "uno" if name == "name" else value) for name, value in rows[0]["fields"]]


def _batch(copy: Copy) -> None:
    """Half of a delivery is not there, and the account says that it was not."""
    copy.rewrite("bronze.orders", lambda rows: rows[: len(rows) // 2])


def _action(kind: str, **changes: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(actions: list[dict[str, Any]]) -> None:
        next(action[kind] for action in actions if kind in action).update(changes)

    return change


def _cleaned_by_delta(copy: Copy) -> None:
    """Have Delta clean the log of orders by itself, as of a table that was made before maintenance did."""

    def change(actions: list[dict[str, Any]]) -> None:
        for metadata in (action["metaData"] for action in actions if "metaData" in action):
            metadata["configuration"].pop("delta.enableExpiredLogCleanup")

    for version in range(len(copy.log("silver.orders").entries)):
        copy.edit("silver.orders", version, change)


def _without(kind: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    def change(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        assert any(kind in action for action in actions)
        return [action for action in actions if kind not in action]

    return change


def _stats(actions: list[dict[str, Any]]) -> None:
    add = next(action["add"] for action in actions if "add" in action)
    add["stats"] = json.dumps({**json.loads(add["stats"]), "numRecords": 99})


def _metric(actions: list[dict[str, Any]]) -> None:
    actions[0]["commitInfo"]["operationMetrics"]["numOutputRows"] = "99"


def _twice(copy: Copy) -> None:
    newest = copy.entry("silver.orders")
    (newest.parent / f"{int(newest.stem) + 1:020d}.json").write_bytes(newest.read_bytes())


def _remove_entry(copy: Copy, short: str, version: int) -> None:
    path = copy.entry(short, version)
    unsum(path)
    path.unlink()


def _empty_entry(copy: Copy) -> None:
    path = copy.entry("silver.orders", 1)
    path.write_text("")
    unsum(path)


def checkpoint(copy: Copy) -> Path:
    """Make a checkpoint of a table, as any writer does now and then, and return it."""
    DeltaTable(str(copy.path("gold.sales"))).create_checkpoint()
    (found,) = copy.path("gold.sales").glob("_delta_log/*.checkpoint.parquet")
    return found


def _other_checkpoint(copy: Copy) -> None:
    import pyarrow.parquet as pq

    path = checkpoint(copy)
    table = pq.ParquetFile(path).read()
    keeps = [row["add"] is None for row in table.to_pylist()]
    pq.write_table(table.filter(keeps), path)


def _behind(copy: Copy) -> None:
    """Lines have yet to read a version of orders."""

    def change(account: dict[str, Any]) -> None:
        account["watermark"]["yard.silver.orders"]["version"] = 0

    copy.edit_account("silver.lines", change)


def _change_data(copy: Copy) -> None:
    _behind(copy)
    (found,) = copy.path("silver.orders").glob("_change_data/*.parquet")
    found.unlink()


def _mark(source: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda account: account["watermark"][source].update(changes)


def _cut_file(copy: Copy) -> None:
    path = copy.file("silver.orders")
    path.write_bytes(path.read_bytes()[:-100])


def _flipped_page(copy: Copy) -> None:
    """Damage that Hadoop's checksum does not tell of, since it is not there."""
    path = copy.file("silver.orders")
    flip(path, 40)
    unsum(path)


def _deleted_rows(copy: Copy) -> None:
    """Somebody else's commit takes all rows."""
    log = copy.log("gold.revenue")
    (file,) = log.snapshot(log.newest).files
    info = {"timestamp": log.entries[log.newest].at_ms + 1, "operation": "DELETE", "operationParameters": {}}
    actions = [{"commitInfo": info}, {"remove": {"path": file, "dataChange": True, "deletionTimestamp": 1}}]
    (log.place / f"{log.newest + 1:020d}.json").write_text("".join(json.dumps(one) + "\n" for one in actions))


def expire(copy: Copy) -> None:
    """Old commits are gone, as Delta lets them go: a checkpoint stands for them."""
    DeltaTable(str(copy.path("silver.orders"))).create_checkpoint()
    for _ in range(2):
        _remove_entry(copy, "silver.orders", 0)


def _restored_file(copy: Copy) -> None:
    """A data file of an older version lies in place of the newer one: right in itself, but not of this version."""
    log = copy.log("silver.orders")
    old, new = (next(iter(log.snapshot(version).files)) for version in (0, 1))
    folder = copy.path("silver.orders")
    (folder / new).write_bytes((folder / old).read_bytes())
    unsum(folder / new)


def _vector(copy: Copy) -> Path:
    """Rows of a file are marked as gone by a file beside it, as in tables that are not small."""
    told = {
        "storageType": "u",
        "pathOrInlineDv": "CzXkS-PoC:ZE]=yd(Q<S",
        "offset": 1,
        "sizeInBytes": 84,
        "cardinality": 0,
    }
    copy.edit("gold.sales", -1, _action("add", deletionVector=told))
    return copy.path("gold.sales") / "deletion_vector_778a34aa-c5e5-42fc-bf4b-229f2b376073.bin"


def _damaged_vector(copy: Copy) -> None:
    path = _vector(copy)
    path.write_bytes(b"damaged")
    path.with_name(f".{path.name}.crc").write_bytes(b"crc\0\0\0\2\0" + b"\0" * 4)


def _unlanded(copy: Copy) -> None:
    _sql(_inbox(copy), "INSERT INTO payloads VALUES ('e99', x'00', '2026-01-31T06:00:00+00:00', NULL)")


def _manifest(copy: Copy) -> None:
    path = copy.manifest("orders", 2)
    found = json.loads(path.read_text())
    found["files"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(found))


def _lost_delivery(copy: Copy) -> None:
    """The delivery of posted payloads is gone, and those after it have taken its number."""
    path = next(p for n in (3, 4, 5) if "envelopes" in (p := copy.manifest("orders", n)).read_text())
    path.unlink()


def _secret(copy: Copy) -> None:
    copy.edit_account("gold.sales", lambda account: account.update(reason="with hunter2-hunter2"))


ORDERS, SALES, PRICES = "yard.silver.orders", "yard.gold.sales", "yard.silver.prices"
BRONZE, HELD = "yard.bronze.orders", "yard.quarantine.orders"

PLANTED: dict[str, Planted] = {
    # landing, inbox, bronze
    "landing, a byte flipped": Planted(1, "landing.orders", "delivery 1", lambda c: flip(c.landed("orders"))),
    "landing, a file cut": Planted(
        1, "landing.prices", "bytes, its manifest says", lambda c: c.landed("prices").write_text("x")
    ),
    "landing, a file gone": Planted(1, "landing.orders", "not there", lambda c: c.landed("orders", 2).unlink()),
    "landing, a manifest gone": Planted(
        1, "landing.orders", "000000000002.json", lambda c: c.manifest("orders", 2).unlink()
    ),
    "landing, a manifest unreadable": Planted(
        1, "landing.orders", "000000000001.json", lambda c: c.manifest("orders", 1).write_text("{")
    ),
    "landing, a manifest edited": Planted(1, "landing.orders", "delivery 2", _manifest),
    "landing, a number taken twice": Planted(
        1,
        "landing.products",
        "manifest 3 says it is delivery 2",
        lambda c: c.manifest("products", 3).write_bytes(c.manifest("products", 2).read_bytes()),
    ),
    "inbox, a waiting payload edited": Planted(
        1,
        "inbox of orders",
        "key e90",
        lambda c: _sql(_inbox(c), "UPDATE payloads SET body = x'7b7d' WHERE key = 'e90'"),
    ),
    "inbox, a payload let go that never landed": Planted(1, "inbox of orders", "key e99", _unlanded),
    "inbox, its delivery lost": Planted(1, "inbox of orders", "key e31", _lost_delivery),
    "inbox, unreadable": Planted(
        1, "inbox of orders", "inbox.sqlite", lambda c: _inbox(c).write_bytes(b"no database" * 99)
    ),
    "bronze, a record dropped": Planted(1, BRONZE, "delivery 1", lambda c: c.rewrite("bronze.orders", lambda r: r[1:])),
    "bronze, half a batch": Planted(1, BRONZE, "record 1", _batch),
    "bronze, a record doubled": Planted(
        2, BRONZE, "2 rows", lambda c: c.rewrite("bronze.orders", lambda r: [*r, r[0]])
    ),
    "bronze, a cent in a payload": Planted(
        1, BRONZE, "delivery 1", lambda c: c.rewrite("bronze.orders", lambda r: _payload(r, hashed=False), 0)
    ),
    "bronze, a cent and its hash": Planted(
        1, BRONZE, "delivery 1", lambda c: c.rewrite("bronze.orders", lambda r: _payload(r, hashed=True), 0)
    ),
    "bronze, keys swapped": Planted(1, BRONZE, "stored as", lambda c: c.rewrite("bronze.orders", _swap("_key"))),
    "bronze, record ids swapped": Planted(
        1, BRONZE, "stored as", lambda c: c.rewrite("bronze.orders", _swap("_record_id"))
    ),
    "bronze, a record invented": Planted(1, BRONZE, "(delivery ", lambda c: c.rewrite("bronze.orders", _invented)),
    "bronze, a cell edited": Planted(
        1, "yard.bronze.products", "stored as", lambda c: c.rewrite("bronze.products", _cell)
    ),
    "bronze, a delivery passed over": Planted(
        1,
        BRONZE,
        "version 1: deliveries after 3",
        lambda c: c.edit_account("bronze.orders", _mark("landing.orders", since=3), 1),
    ),
    "bronze, a delivery that never came": Planted(
        1,
        BRONZE,
        "delivery 77, the newest is 6",
        lambda c: c.edit_account("bronze.orders", _mark("landing.orders", version=77)),
    ),
    # keys and intervals
    "silver, a row doubled": Planted(2, ORDERS, "2 rows", lambda c: c.rewrite("silver.orders", lambda r: [*r, r[0]])),
    "silver, a key null": Planted(2, ORDERS, "1 rows", lambda c: c.rewrite("silver.orders", _set(id=None))),
    "silver, a child doubled": Planted(
        2, "yard.silver.lines", "line=", lambda c: c.rewrite("silver.lines", lambda r: [*r, r[0]])
    ),
    "history, two newest": Planted(
        2,
        PRICES,
        "current True",
        lambda c: c.rewrite("silver.prices", lambda r: [x.update(is_current=True) for x in r] and None),
    ),
    "history, a gap": Planted(
        2,
        PRICES,
        "to 2026-01-15",
        lambda c: c.rewrite(
            "silver.prices",
            lambda r: _row(r, product="p1", since=dt.date(2026, 1, 1)).update(valid_to=dt.date(2026, 1, 15)),
        ),
    ),
    "history, a version dropped": Planted(
        2,
        PRICES,
        "product=p1",
        lambda c: c.rewrite("silver.prices", lambda r: [x for x in r if x["since"] != dt.date(2026, 2, 1)]),
    ),
    "gold, a row doubled": Planted(2, SALES, "2 rows", lambda c: c.rewrite("gold.sales", lambda r: [*r, r[0]])),
    "gold, a group doubled": Planted(
        2, "yard.gold.revenue", "product_name=", lambda c: c.rewrite("gold.revenue", lambda r: [*r, r[0]])
    ),
    # accounts and quarantine
    "account, a row more": Planted(
        3, ORDERS, "version 1", lambda c: c.edit_account("silver.orders", lambda a: a["rows"].update(written=6), 1)
    ),
    "account, rows read that never came": Planted(
        3, BRONZE, "version 0", lambda c: c.edit_account("bronze.orders", lambda a: a["rows"].update(read=99), 0)
    ),
    "account, both sides of it": Planted(
        3,
        SALES,
        "version 0: Delta wrote",
        lambda c: c.edit_account("gold.sales", lambda a: a["rows"].update(read=3, written=3), 0),
    ),
    "metrics edited": Planted(3, SALES, "99 rows", lambda c: c.edit("gold.sales", 0, _metric)),
    "silver, a row dropped": Planted(
        3, ORDERS, "rows by its files", lambda c: c.rewrite("silver.orders", lambda r: r[1:])
    ),
    "quarantine, a reason removed": Planted(
        3, HELD, "quarantined", lambda c: c.rewrite("quarantine.orders", _set(reasons=[]))
    ),
    "quarantine, a payload edited": Planted(
        3, HELD, "row 0", lambda c: c.rewrite("quarantine.orders", _set(payload="{}"))
    ),
    "quarantine, a payload's place edited": Planted(
        3, HELD, "elsewhere.json", lambda c: c.rewrite("quarantine.orders", _set(landing_file="elsewhere.json"))
    ),
    "quarantine, of no record": Planted(
        3, HELD, "nobody", lambda c: c.rewrite("quarantine.orders", _set(_record_id="nobody"))
    ),
    "quarantine, an outcome nobody knows": Planted(
        3, HELD, "forgotten", lambda c: c.rewrite("quarantine.orders", _set(outcome="forgotten"))
    ),
    "quarantine, gone": Planted(
        3,
        ORDERS,
        "2 quarantined",
        lambda c: c.path("quarantine.orders").rename(c.path("quarantine.orders").with_name("x")),
    ),
    # addresses
    "address, a version that never was": Planted(
        5, ORDERS, "version 77, the newest", lambda c: c.edit_account("silver.orders", _mark(BRONZE, version=77))
    ),
    "address, another table's id": Planted(
        5, ORDERS, "was table nobody", lambda c: c.edit_account("silver.orders", _mark(BRONZE, table_id="nobody"))
    ),
    "address, a version that had not passed": Planted(
        5, SALES, "had not passed", lambda c: c.edit_account("gold.sales", _mark(ORDERS, version=2))
    ),
    "address, none": Planted(
        5, SALES, "no watermark", lambda c: c.edit_account("gold.sales", lambda a: a.update(watermark={}))
    ),
    "address, a table that is gone": Planted(
        5,
        ORDERS,
        "products, which is not there",
        lambda c: c.path("silver.products").rename(c.path("silver.products").with_name("x")),
    ),
    "address, the newest commit of an upstream lost": Planted(
        5,
        SALES,
        "the newest is 0",
        lambda c: [_remove_entry(c, "silver.orders", -1), _remove_entry(c, "silver.orders", -1)],
    ),
    # stores
    "cache, a stale row": Planted(
        6, f"cache of {ORDERS}", "id=o3", lambda c: _cache(c, "UPDATE rows SET amount = amount + 1 WHERE id = 'o3'")
    ),
    "cache, a row gone": Planted(
        6, f"cache of {ORDERS}", "9 rows, and says 10", lambda c: _cache(c, "DELETE FROM rows WHERE id = 'o3'")
    ),
    "cache, a row in another's place": Planted(
        6, f"cache of {ORDERS}", "id=o0", lambda c: _cache(c, "UPDATE rows SET id = 'o0' WHERE id = 'o3'")
    ),
    "cache, words of nothing": Planted(
        6,
        f"cache of {ORDERS}",
        "the words of its cache are not those",
        lambda c: _cache(c, "INSERT INTO words (words) VALUES ('delete-all')"),
    ),
    "cache, a count of values": Planted(
        6, f"cache of {ORDERS}", "counts of product", lambda c: _cache(c, "UPDATE filter_values SET rows = rows + 1")
    ),
    "cache, of another table": Planted(
        6,
        f"cache of {ORDERS}",
        "of table nobody",
        lambda c: _cache(c, "UPDATE state SET value = 'nobody' WHERE name = 'table_id'"),
    ),
    "cache, of a version to come": Planted(
        6,
        f"cache of {ORDERS}",
        "at version 77",
        lambda c: _cache(c, "UPDATE state SET value = 77 WHERE name = 'version'"),
    ),
    "cache, unreadable": Planted(
        6,
        f"cache of {ORDERS}",
        "yard.silver.orders.sqlite",
        lambda c: (
            (Path(c.conf.platform.cache.root) / "yard.silver.orders.sqlite").resolve().write_bytes(b"no database" * 99)
        ),
    ),
    # logs and files
    "file, gone": Planted(7, ORDERS, ".parquet", lambda c: c.file("silver.orders").unlink()),
    "file, cut": Planted(7, ORDERS, "bytes, its log says", _cut_file),
    "file, a byte flipped": Planted(7, ORDERS, "checksum beside it", lambda c: flip(c.file("silver.orders"))),
    "file, a byte flipped, no checksum beside it": Planted(7, ORDERS, ".parquet", _flipped_page),
    "file, of an older version": Planted(7, ORDERS, "its log says", _restored_file),
    "file, of a quarantine gone": Planted(7, HELD, ".parquet", lambda c: c.file("quarantine.orders").unlink()),
    "file, a deletion vector gone": Planted(7, SALES, "deletion_vector_778a34aa", _vector),
    "file, a deletion vector damaged": Planted(7, SALES, "checksum beside it", _damaged_vector),
    "log, a version gone": Planted(7, ORDERS, "version 1", lambda c: _remove_entry(c, "silver.orders", 1)),
    "log, the newest version gone": Planted(7, ORDERS, "version 2", lambda c: _remove_entry(c, "silver.orders", -1)),
    "log, the first version gone": Planted(7, SALES, "version 0", lambda c: _remove_entry(c, "gold.sales", 0)),
    "log, a version empty": Planted(7, ORDERS, "_delta_log", _empty_entry),
    "log, a version cut": Planted(
        7, ORDERS, "_delta_log", lambda c: c.entry("silver.orders", 1).write_text('{"add": {')
    ),
    "log, a byte flipped": Planted(7, SALES, "version 1", lambda c: flip(c.entry("gold.sales", 1), 45)),
    "log, a commit twice": Planted(7, ORDERS, "versions 2 and 3", _twice),
    "log, a number of rows": Planted(7, SALES, "its log says 99", lambda c: c.edit("gold.sales", -1, _stats)),
    "log, a size": Planted(7, SALES, "its log says 1", lambda c: c.edit("gold.sales", -1, _action("add", size=1))),
    "log, a path": Planted(
        7, SALES, "elsewhere", lambda c: c.edit("gold.sales", -1, _action("add", path="elsewhere.parquet"))
    ),
    "log, an add gone": Planted(7, SALES, ".crc", lambda c: c.edit("gold.sales", -1, _without("add"))),
    "log, a remove gone": Planted(7, SALES, ".crc", lambda c: c.edit("gold.sales", -1, _without("remove"))),
    "log, another table id": Planted(
        7, ORDERS, "version 0: nobody", lambda c: c.edit("silver.orders", 0, _action("metaData", id="nobody"))
    ),
    "log, an account unreadable": Planted(
        7,
        ORDERS,
        "version 2",
        lambda c: c.edit("silver.orders", -1, _action("commitInfo", userMetadata='{"medallion": 1')),
    ),
    "log, an account gone": Planted(
        7, SALES, "version 1: WRITE", lambda c: c.edit("gold.sales", -1, _action("commitInfo", userMetadata=None))
    ),
    "log, good beyond data": Planted(
        7, SALES, "good 77", lambda c: c.edit_account("gold.sales", lambda a: a.update(good=77))
    ),
    "log, data of another version": Planted(
        7, SALES, "data 0", lambda c: c.edit_account("gold.sales", lambda a: a.update(data=0, good=0))
    ),
    "log, a count of nulls": Planted(7, ORDERS, "nulls of id", lambda c: c.rewrite("silver.orders", _set(id=None))),
    "log, a greatest value": Planted(
        7, BRONZE, "_delivery is 77", lambda c: c.rewrite("bronze.orders", _set(_delivery=77))
    ),
    "log, rows deleted by hand": Planted(7, "yard.gold.revenue", "DELETE", _deleted_rows),
    "checkpoint, other files": Planted(7, SALES, ".checkpoint.parquet", _other_checkpoint),
    "checkpoint, unreadable": Planted(7, SALES, ".checkpoint.parquet", lambda c: flip(checkpoint(c), -1)),
    # history
    "history to read, a commit gone": Planted(
        8, "yard.silver.lines", f"{ORDERS} version 1", lambda c: [_behind(c), expire(c)]
    ),
    "history to read, change data gone": Planted(8, "yard.silver.lines", "_change_data", _change_data),
    "history to read, about to go": Planted(
        8,
        "yard.silver.lines",
        "days left",
        lambda c: [
            _behind(c),
            _cleaned_by_delta(c),
            c.edit("silver.orders", 1, _action("commitInfo", inCommitTimestamp=1)),
        ],
    ),
    # doors
    "pages open to all": Planted(10, "conf/platform/dev.yaml", "0.0.0.0", lambda c: None, ("cache.host=0.0.0.0",)),
    "posts open to all": Planted(
        10, "conf/platform/dev.yaml", "yard.orders", lambda c: None, ("receiver.host=0.0.0.0",)
    ),
    "a secret in a commit": Planted(
        10, "env:YARD_SECRET", "gold", _secret, ("notifications.on_failure=env:YARD_SECRET",)
    ),
}

RECOMPUTED: dict[str, Planted] = {
    "silver, a cent": Planted(4, ORDERS, "made anew", lambda c: c.rewrite("silver.orders", _cent("amount"))),
    "silver, keys swapped": Planted(4, ORDERS, "id=", lambda c: c.rewrite("silver.orders", _swap("id"))),
    "silver, a tombstone revived": Planted(
        4, ORDERS, "id=o2", lambda c: c.rewrite("silver.orders", lambda r: _row(r, id="o2").update(_deleted=False))
    ),
    "silver, a child hidden": Planted(
        4, "yard.silver.lines", "only when made anew", lambda c: c.rewrite("silver.lines", _set(_deleted=True))
    ),
    "silver, a looked-up name": Planted(
        4, ORDERS, "product_name is eins", lambda c: c.rewrite("silver.orders", _set(product_name="eins"))
    ),
    "history, a price": Planted(4, PRICES, "price is", lambda c: c.rewrite("silver.prices", _cent("price"))),
    "gold, a cent": Planted(4, SALES, "amount is", lambda c: c.rewrite("gold.sales", _cent("amount"))),
    "gold, amounts swapped, their sum the same": Planted(
        4, "yard.gold.revenue", "amount is", lambda c: c.rewrite("gold.revenue", _swap("amount"))
    ),
    "quarantine, gone": Planted(
        4,
        HELD,
        "2 rows are to be in it",
        lambda c: c.path("quarantine.orders").rename(c.path("quarantine.orders").with_name("x")),
    ),
    "quarantine, a row dropped": Planted(
        4, HELD, "only when made anew", lambda c: c.rewrite("quarantine.orders", lambda r: r[1:])
    ),
    "quarantine, a row that waits for nothing": Planted(
        4,
        HELD,
        "outcome is waiting",
        lambda c: c.rewrite("quarantine.orders", _set(outcome="waiting", waits_for="godot")),
    ),
}
