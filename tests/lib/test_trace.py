"""A trace finds all payloads behind a row: made anew from them alone it is the same; and the way up finds the row."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion import cli, commits
from medallion.errors import ConfError, HistoryError
from medallion.lake import Lake
from medallion.query import select
from medallion.views import at_hand, trace
from medallion.views.trace import Question
from tests.lib import audit_lab

GOLD = ("yard.gold.sales", "yard.gold.revenue")
EACH = [pytest.param(4, id="one in four"), pytest.param(1, id="all", marks=pytest.mark.soak)]


@pytest.fixture(scope="module")
def yard(shared_scratch: Callable[..., Any]) -> Any:
    """The yard after three days, a replay and a run without news."""
    return audit_lab.make(shared_scratch)


def _traced(lake: Any, table: str, **more: Any) -> trace.Trace:
    options = {name: more.pop(name) for name in ("at", "verify", "up") if name in more}
    where = {column: "null" if value is None else str(value) for column, value in more.items()}
    return trace.of(lake.conf, Question(table, where, **options), lake.sessions)


def _rows(lake: Any, table: str, version: int | None = None) -> list[dict[str, Any]]:
    tables = Lake(lake.conf)
    state = tables.state(table)
    assert state is not None
    return select(state.path, "SELECT * FROM t", state.good if version is None else version)


@pytest.mark.parametrize("each", EACH)
def test_every_row_of_gold_is_made_anew_from_its_payloads_alone(yard: Any, each: int) -> None:
    for table, key in (("yard.gold.sales", "id"), ("yard.gold.revenue", "product_name")):
        rows = _rows(yard, table)
        assert rows
        for row in rows[::each]:
            assert _traced(yard, table, verify=True, **{key: row[key]}).verified == []


@pytest.mark.once
@pytest.mark.parametrize("each", EACH)
def test_so_is_every_row_of_silver(yard: Any, each: int) -> None:
    for table, keys in (
        ("orders", ["id"]),
        ("lines", ["id", "line"]),
        ("products", ["product"]),
        ("prices", ["product"]),
    ):
        rows = [row for row in _rows(yard, f"yard.silver.{table}") if not row["_deleted"]]
        for row in rows[::each]:
            where = {key: row[key] for key in keys}
            assert _traced(yard, f"yard.silver.{table}", verify=True, **where).verified == []


def test_the_way_is_told_table_by_table_with_payload_and_place(yard: Any) -> None:
    found = _traced(yard, "yard.gold.revenue", product_name=_rows(yard, "yard.gold.revenue")[0]["product_name"])

    ways = {(hop.table, reader, why) for hop in found.hops for reader, why in hop.for_}
    assert ways == {
        ("yard.gold.sales", "yard.gold.revenue", "counted"),
        ("yard.silver.orders", "yard.gold.sales", "driving row"),
        ("yard.silver.prices", "yard.gold.sales", "looked up"),
        ("yard.silver.products", "yard.silver.orders", "looked up"),
        ("yard.bronze.orders", "yard.silver.orders", "the record"),
        ("yard.bronze.orders", "yard.silver.orders", "of the same key"),
        ("yard.bronze.prices", "yard.silver.prices", "the record"),
        ("yard.bronze.products", "yard.silver.products", "the record"),
        ("yard.bronze.products", "yard.silver.products", "of the same key"),
    }
    (records,) = [hop for hop in found.hops if hop.table == "yard.bronze.orders"]
    ids = {row["id"] for hop in found.hops if hop.table == "yard.silver.orders" for row in hop.rows}
    assert {json.loads(row["payload"])["id"] for row in records.rows} == ids
    assert records.count > len(ids)  # versions that lost are there, too
    landed = Path(yard.conf.root("landing"), "yard", "orders")
    for row in records.rows:
        lines = (landed / row["_landing_file"]).read_text().splitlines()
        line = lines[row["_position"] - 1]
        assert row["payload"] in (line, json.loads(line).get("body"))  # a webhook's are wrapped


def test_records_of_a_large_table_are_found_by_their_deliveries_first(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = next(row for row in _rows(yard, "yard.silver.orders") if row["id"] == "o1")  # sent in three deliveries
    asked = {"yard.silver.orders": {"id": "o1"}, "yard.bronze.orders": {"_record_id": row["_record_id"], "up": True}}

    def told() -> list[Any]:
        found = [_traced(yard, table, **where) for table, where in asked.items()]
        return [[(hop.table, hop.count, hop.rows) for hop in one.hops] for one in found]

    read_whole = told()
    monkeypatch.setattr(commits, "LARGE_BYTES", 1)
    assert told() == read_whole


def test_a_version_of_the_past_is_traced_as_it_was(yard: Any) -> None:
    commits = [commit for commit in Lake(yard.conf).history("yard.gold.revenue") if commit.account]
    first = commits[-1]
    row = _rows(yard, "yard.gold.revenue", first.version)[0]
    assert first.account is not None

    by_version = _traced(
        yard, "yard.gold.revenue", verify=True, at=str(first.version), product_name=row["product_name"]
    )
    by_run = _traced(yard, "yard.gold.revenue", at=first.account.run_id, product_name=row["product_name"])

    assert by_version.verified == []
    assert by_version.hops[0].rows[0]["amount"] == row["amount"]
    assert [(hop.table, hop.version) for hop in by_run.hops] == [(hop.table, hop.version) for hop in by_version.hops]
    now = _traced(yard, "yard.gold.revenue", product_name=row["product_name"])
    assert [hop.version for hop in now.hops] != [hop.version for hop in by_version.hops]


def test_a_row_that_its_payloads_do_not_make_is_found(yard: Any, tmp_path: Path) -> None:
    lake = _copied(yard, tmp_path)
    path = Lake(lake.conf).path("yard.gold.sales")
    session = lake.sessions.fresh(0)
    row = _rows(lake, "yard.gold.sales")[0]
    told = next(iter(Lake(lake.conf).history("yard.gold.sales"))).account
    assert told is not None
    session.conf.set("spark.databricks.delta.commitInfo.userMetadata", _as_newest(told.to_json(), lake))
    session.sql(f"UPDATE delta.`{path}` SET amount = amount + 1 WHERE id = '{row['id']}'").collect()
    session.conf.unset("spark.databricks.delta.commitInfo.userMetadata")

    (different,) = _traced(lake, "yard.gold.sales", verify=True, id=row["id"]).verified or []
    assert different.startswith(f"id={row['id']}: amount is ")


def test_a_record_is_followed_up_to_gold(yard: Any) -> None:
    row = next(row for row in _rows(yard, "yard.silver.orders") if not row["_deleted"])
    found = _traced(yard, "yard.bronze.orders", up=True, _record_id=row["_record_id"])

    hops = {hop.table: hop for hop in found.hops}
    assert [(one.table, one.store, one.version) for one in found.publications] == [
        ("yard.silver.orders", "cache", hops["yard.silver.orders"].version)
    ]
    assert set(hops) == {"yard.bronze.orders", "yard.silver.orders", "yard.silver.lines", *GOLD}
    assert [one["id"] for one in hops["yard.gold.sales"].rows] == [row["id"]]
    assert {one["id"] for one in hops["yard.silver.lines"].rows} == {row["id"]}
    for one in hops["yard.gold.revenue"].rows:  # and down again from there
        down = _traced(yard, "yard.gold.revenue", product_name=one["product_name"])
        records = next(hop for hop in down.hops if hop.table == "yard.bronze.orders")
        assert row["_record_id"] in {record["_record_id"] for record in records.rows}


@pytest.mark.parametrize(
    ("table", "where", "at", "told"),
    [
        ("yard.gold.sails", {"id": "1"}, None, "no such table; wanted one of yard.bronze"),
        ("yard.gold.sales", {}, None, "found no value; wanted its key, id=..., or other"),
        ("yard.gold.sales", {"colour": "red"}, None, "found colour; wanted its key, id="),
        ("yard.gold.sales", {"id": "nobody's"}, None, "has no row with id=nobody's; `medallion show yard.gold.sales`"),
        ("yard.gold.sales", {"id": "1"}, "999", "no version 999; wanted one from 0 to "),
        ("yard.gold.sales", {"id": "1"}, "last week", "found no commit of run 'last week'"),
    ],
)
def test_what_cannot_be_traced_is_told(yard: Any, table: str, where: dict[str, str], at: str | None, told: str) -> None:
    with pytest.raises(ConfError) as error:
        trace.of(yard.conf, Question(table, where, at), yard.sessions)
    assert told in str(error.value)


@pytest.mark.once
def test_the_command_prints_a_tree_a_document_and_a_page(
    yard: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(yard.conf.project)
    monkeypatch.setattr(at_hand, "Sessions", lambda _: yard.sessions)
    monkeypatch.setattr(yard.sessions, "stop", lambda: None)
    row = _rows(yard, "yard.gold.sales")[0]
    page = tmp_path / "trace.html"
    arguments = ["trace", "yard.gold.sales", f"id={row['id']}", *audit_lab.roots(yard.conf)]

    assert cli.main([*arguments, "--verify", "--html", str(page)]) == 0
    told = capsys.readouterr().out
    assert "driving row: yard.silver.orders version" in told
    assert "alone, and the same" in told
    assert "<h2>yard.bronze.orders, version" in page.read_text()
    assert cli.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hops"][0]["rows"][0]["id"] == row["id"]


@pytest.mark.once
def test_a_changed_definition_is_not_held_against_the_row(yard: Any, shared_scratch: Callable[..., Any]) -> None:
    roots = audit_lab.roots(yard.conf)
    modules = {
        **audit_lab.MODULES,
        "gold/sales.py": audit_lab.MODULES["gold/sales.py"].replace('how="left"', 'how="inner"'),
    }
    other = shared_scratch("yard", modules, audit_lab.CONF, roots, at="redefined")
    row = _rows(yard, "yard.gold.sales")[0]

    with pytest.raises(
        HistoryError, match=r"cannot be made anew: the definition of yard\.gold\.sales has changed since"
    ):
        trace.of(other.conf, Question("yard.gold.sales", {"id": row["id"]}, verify=True), yard.sessions)


def _copied(lake: Any, folder: Path) -> Any:
    shutil.copytree(Path(lake.conf.root("bronze")).parent, folder / "lake")
    return lake.with_overrides(*[f"storage.{layer}.root={folder / 'lake' / layer}" for layer in audit_lab.LAYERS])


def _as_newest(account: str, lake: Any) -> str:
    """Return an account as one of the next commit's own: a forged one."""
    state = Lake(lake.conf).state("yard.gold.sales")
    assert state is not None
    found = json.loads(account)
    return json.dumps({**found, "data": state.version + 1, "good": state.version + 1})
