"""Records judged again change what depends on them and nothing else; a try shows the same and leaves nothing behind."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion import query, run
from medallion.audit.run import audit
from medallion.errors import ConfError
from medallion.lake import Lake
from medallion.views import reprocess
from medallion.views.reprocess import Question, Reprocessing
from tests.lib import audit_lab

ORDERS = "yard.bronze.orders"
TWICE = audit_lab.ORDERS.replace(
    'exact_decimal(F.col("sent.amount"), 10, 2)',
    '(exact_decimal(F.col("sent.amount"), 10, 2) * 2).cast("decimal(10,2)")',
)
LOUD = audit_lab.LINES.replace('"text", *CARRIED', 'F.upper("text").alias("text"), *CARRIED')


@pytest.fixture(scope="module")
def worked(shared_scratch: Callable[..., Any]) -> Any:
    """The yard after its days."""
    return audit_lab.make(shared_scratch)


@pytest.fixture
def yard(worked: Any, scratch: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Return a factory of copies of it, by today's definitions or by others."""

    def make(conf: str = audit_lab.CONF, **modules: str) -> Any:
        lake = tmp_path / "lake"
        shutil.copytree(Path(worked.conf.root("bronze")).parent, lake, symlinks=True)
        changed = {f"silver/{name}.py": audit_lab.IMPORTS + text for name, text in modules.items()}
        return scratch("yard", audit_lab.MODULES | changed, conf, [f"cache.root={lake / 'cache'}"])

    return make


def _again(lake: Any, *records: str, **more: Any) -> Reprocessing:
    return reprocess.of(lake.conf, Question(ORDERS, records, **more), lambda _: None, lake.sessions)


def _rows(lake: Any, name: str) -> list[dict[str, Any]]:
    state = Lake(lake.conf).state(name)
    assert state is not None
    return query.select(state.path, "SELECT * FROM t", state.good)


def _record(lake: Any, order: str) -> str:
    return next(str(row["_record_id"]) for row in _rows(lake, "yard.silver.orders") if row["id"] == order)


def _amounts(lake: Any) -> dict[str, float]:
    return {row["id"]: float(row["amount"]) for row in _rows(lake, "yard.gold.sales")}


def test_a_record_is_judged_by_todays_definition_and_only_what_depends_on_it_moves(yard: Any) -> None:
    lake = yard(orders=TWICE)
    record, versions, amounts = _record(lake, "o3"), lake.versions(), _amounts(lake)

    tried = _again(lake, record[:12])

    told = {one.table: [(row.kind, row.key, row.columns) for row in one.rows] for one in tried.diffs}
    assert list(told) == ["yard.silver.orders", "yard.gold.sales", "yard.gold.revenue"]
    ((kind, key, columns),) = told["yard.gold.sales"]
    assert (kind, key, [tuple(map(float, both)) for both in columns.values()]) == (
        "changed",
        {"id": "o3"},
        [(3.5, 7.0)],
    )
    assert (lake.versions(), tried.applied) == (versions, False)
    assert not list(Path(lake.conf.root("ops"), "tries").iterdir())

    done = _again(lake, record, apply=True)

    assert done.diffs == tried.diffs and done.passed
    assert done.caches == ["yard.silver.orders"]
    assert _amounts(lake) == amounts | {"o3": 7.0}
    moved = {name for name, version in lake.versions().items() if version != versions[name]}
    assert moved == {"yard.silver.orders", "yard.silver.lines", "yard.gold.sales", "yard.gold.revenue"}
    assert _again(lake, record, apply=True).diffs == []  # and once more changes nothing
    assert {name for name, version in lake.versions().items() if version != versions[name]} == moved
    assert audit(run.prepare(lake.conf), lake.sessions).passed

    report = lake.run()  # all others are still by the old definition, which the next run knows
    assert next(one for one in report.outcomes if one.table == "yard.silver.orders").reason == "its definition changed"
    assert _amounts(lake) == {order: 2 * amount for order, amount in amounts.items()} | {"still-waiting": 20.0}


@pytest.mark.once
def test_a_childs_own_definition_counts_though_its_parent_comes_out_the_same(yard: Any) -> None:
    lake = yard(lines=LOUD)

    done = _again(lake, _record(lake, "o3"), apply=True)

    assert [one.table for one in done.diffs] == ["yard.silver.lines"]
    loud = {(row["id"], row["text"]) for row in _rows(lake, "yard.silver.lines") if row["text"].isupper()}
    assert loud == {("o3", "A"), ("o3", "B")}


@pytest.mark.once
def test_what_was_quarantined_is_taken_up_where_it_passes_by_now(yard: Any) -> None:
    lake = yard(audit_lab.CONF.replace("min: 0}", "min: -5}"))

    done = _again(lake, where="payload LIKE '%\"negative\"%'", apply=True)

    kinds = {one.table: one.counts for one in done.diffs}
    assert kinds["yard.silver.orders"] == {"added": 1, "removed": 0, "changed": 0}
    assert kinds["yard.silver.lines"]["added"] == 2
    assert _amounts(lake)["negative"] == -1.0
    held = _rows(lake, "yard.quarantine.orders")
    assert not any("negative" in (row["row"] or "") for row in held) and held


def test_a_record_whose_row_no_longer_passes_is_refused(yard: Any) -> None:
    lake = yard(audit_lab.CONF.replace("min: 0}", "min: 5}"))
    versions = lake.versions()

    tried = _again(lake, _record(lake, "o3"), apply=True)

    assert not tried.passed
    assert "only all records together tell what is left" in (tried.report.outcomes[0].error or "")
    assert lake.versions() == versions


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Question(ORDERS), "found no record; wanted --record ID"),
        (Question(ORDERS, ("0123",)), "wanted an id, or at least 8 of its first characters"),
        (Question(ORDERS, ("0123456789ab",)), "found 0 records of yard.bronze.orders that begin with 0123456789ab"),
        (Question(ORDERS, (), "no_such_column = 1"), "--where: "),
        (Question("yard.silver.orders", ("0123456789ab",)), "found no bronze table"),
        (Question("yard.bronze.nothing", ("0123456789ab",)), "no such table"),
    ],
)
def test_what_cannot_be_judged_again_is_told(worked: Any, asked: Question, told: str) -> None:
    with pytest.raises(ConfError) as error:
        reprocess.of(worked.conf, asked, lambda _: None, worked.sessions)
    assert told in str(error.value)


def test_a_record_that_silver_has_not_taken_in_yet_is_told(yard: Any) -> None:
    lake = yard()
    lake.deliver("orders", audit_lab.order(91, "to-come"))
    assert lake.run("yard.bronze.orders").passed

    with pytest.raises(ConfError, match="found no record like that; wanted some that silver has taken in"):
        _again(lake, where="payload LIKE '%\"to-come\"%'")


def test_a_column_that_the_table_has_not_got_yet_is_refused(yard: Any) -> None:
    wider = audit_lab.LINES.replace(
        '"text": ("string", "what")', '"text": ("string", "what"), "size": ("int", "letters")'
    )
    lake = yard(lines=wider.replace('"text", *CARRIED', '"text", F.length("text").alias("size"), *CARRIED'))

    done = _again(lake, _record(lake, "o3"), apply=True)

    errors = {one.table: one.error for one in done.report.outcomes if one.error}
    assert "has no column size yet" in errors["yard.silver.lines"]
