"""How a gold table is refreshed, why, and what is said of it: beforehand by `plan`, afterwards by `history`."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion import changes, commits, economy, gold, held, planner, run
from medallion.lake import Lake
from medallion.step import Outcome
from medallion.views import history, plan
from tests import figures
from tests.gold import mill
from tests.gold.mill import Mill, line

ROW = "Incremental equals full"


def told(outcomes: dict[str, Outcome]) -> dict[str, str]:
    """Return the technique of each table, or what went wrong with it."""
    return {name: outcome.error or outcome.technique for name, outcome in outcomes.items()}


@pytest.mark.usefixtures("incremental")
def test_each_kind_follows_what_changed_and_nothing_else_is_touched(first: Mill) -> None:
    first.write("lines", [line(1, 0, "p", 7, "2.50", 1), {**line(2, 1, "p", 1, "1", 1), "_deleted": True}])

    by_lines = first.refresh()
    same = first.differences()
    first.write("regions", [{"region": 2, "label": "SOUTH"}])
    by_region = first.refresh()
    again = first.refresh()

    assert told(by_lines) == {
        "priced": "affected_keys",
        "order_sums": "affected_keys",
        "top": "affected_keys",
        "by_label": "affected_groups",
        "best": "affected_groups",
        "per_day": "signed_delta",
        "running": "affected_groups",
        "weeks": "affected_groups",
        "everything": "full",
    }
    assert by_lines["priced"].rows == {"read": 3, "keys": 2, "written": 1, "gone": 1}
    assert told(by_region) == {
        **dict.fromkeys(("priced", "top"), "affected_keys"),
        **dict.fromkeys(("by_label", "best"), "affected_groups"),
        **dict.fromkeys(("order_sums", "per_day", "running", "weeks"), "skip"),
        "everything": "full",
    }
    assert set(told(again).values()) == {"skip"}
    assert same == first.differences() == {}


@pytest.mark.usefixtures("incremental")
def test_a_change_without_effect_leaves_one_commit_without_rows(first: Mill) -> None:
    lake = Lake(first.lake.conf)
    before = lake.state("mill.gold.best")
    first.write("orders", [{**first.rows["orders"][1,], "buyer": "b"}])

    outcomes = first.refresh("priced", "order_sums", "top", "best")
    after = lake.state("mill.gold.best")

    assert before is not None and after is not None
    assert (after.version, after.data, after.good) == (before.version + 1, before.data, before.good)
    assert outcomes["best"].reason.endswith("none that counts here")
    assert after.account is not None and after.account.rows == {"read": 0, "written": 0}


def test_a_small_table_is_refreshed_in_full_since_that_costs_less(first: Mill) -> None:
    first.write("lines", [line(1, 0, "p", 6, "2.00", 1)])

    outcome = first.refresh("per_day")["per_day"]

    assert outcome.technique == "full"
    assert outcome.reason.startswith("all of it costs less, about ")


@pytest.mark.usefixtures("incremental")
def test_conf_says_how_a_table_is_refreshed_and_a_run_says_otherwise(first: Mill) -> None:
    first.write("lines", [line(1, 0, "p", 5, "2.00", 1)])
    full = first.refresh("per_day", overrides=["runtime.refresh=full"])["per_day"]
    first.write("lines", [line(1, 0, "p", 4, "2.00", 1)])
    first.refresh("per_day")

    refused = first.refresh("everything", overrides=["runtime.refresh=incremental"])["everything"]
    paid = first.refresh("everything", "by_label", "priced", overrides=["runtime.refresh=full"])["everything"]

    assert (full.technique, full.reason) == ("full", "conf asks for it")
    assert refused.status == "failed"
    assert refused.error == (
        "mill.gold.everything: wants a full refresh: its windows are declared to stay within no partition; conf says "
        "refresh: incremental, which is not to pay for one: `medallion run mill --table mill.gold.everything "
        "runtime.refresh=full`"
    )
    assert paid.technique == "full"


@pytest.mark.usefixtures("incremental")
def test_a_feed_that_takes_more_than_there_was_is_answered_by_a_full_refresh(
    first: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    first.write("lines", [{**row, "units": 3} for row in first.rows["lines"].values()])
    monkeypatch.setattr(changes, "FEED_BYTES", -1)
    monkeypatch.setattr(changes, "_sign", lambda: F.lit(-1))

    outcome = first.refresh("per_day")["per_day"]

    assert (outcome.technique, outcome.reason) == ("full", "its change feed takes more rows from a group than it had")
    monkeypatch.undo()
    assert first.differences("per_day") == {}


@pytest.mark.usefixtures("incremental")
def test_a_feed_that_columns_have_gone_from_is_answered_by_a_full_refresh(first: Mill) -> None:
    first.refresh("order_sums")
    first.write("orders", [{**first.rows["orders"][1,], "status": "open"}], by="column")
    first.write("orders", [{**first.rows["orders"][2,], "status": "paid"}], by="whole")

    outcome = first.refresh("order_sums")["order_sums"]

    assert outcome.technique == "full"
    assert outcome.reason.startswith("history is gone: mill.silver.orders: columns went, or changed their types, at ")
    assert first.differences("order_sums") == {}


def _with_a_wrong_sign() -> Column:
    return F.when(F.col("_change_type") == "delete", -1).otherwise(1)


@pytest.mark.usefixtures("incremental")
def test_one_wrong_sign_is_seen(first: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of all comparisons: an image from before an update counts as one that came."""
    first.refresh()
    first.write("lines", [{**row, "units": 2} for row in list(first.rows["lines"].values())[:2]])
    monkeypatch.setattr(changes, "FEED_BYTES", -1)
    monkeypatch.setattr(changes, "_sign", _with_a_wrong_sign)

    first.refresh("per_day")
    found = first.differences("per_day")
    figures.control(ROW, "an image from before an update counted as one that came", red=bool(found))
    monkeypatch.undo()
    first.write("lines", [line(1, 0, "p", 1, "1.00", 1)])
    first.refresh("per_day", overrides=["runtime.refresh=full"])

    assert set(found) == {"per_day"}
    assert first.differences("per_day") == {}


@pytest.mark.usefixtures("incremental")
def test_a_plan_says_beforehand_and_the_history_afterwards(first: Mill) -> None:
    first.refresh()
    first.write("lines", [line(1, 1, "q", 3, "4.00", 2)], by="whole")
    prepared = run.prepare(first.lake.conf)

    forecast = plan.of(prepared, [f"mill.gold.{name}" for name in ("per_day", "priced", "by_label", "everything")])
    first.refresh("per_day", "priced", "by_label", "everything")
    entry = history.of(first.lake.conf, "mill.gold.priced", 1).entries[0]

    assert [(table.table.split(".")[2], table.technique) for table in forecast.tables] == [
        ("per_day", "signed_delta"),
        ("priced", "affected_keys"),
        ("by_label", "affected_groups"),
        ("everything", "full"),
    ]
    assert forecast.tables[0].reason.startswith("mill.silver.lines as a whole; about 0 s, in full ")
    assert forecast.tables[2].reason == "after mill.gold.priced"
    assert entry.technique == "affected_keys"
    assert entry.rows is not None and set(entry.rows) == {"read", "keys", "written", "gone"}
    assert entry.seconds is not None and 0 < entry.seconds < 600
    assert entry.bytes_read and entry.changed and entry.changed["bytes"] > 0


def test_what_gives_another_result_each_time_is_not_followed(project: Callable[..., Any]) -> None:
    unsteady = (
        mill.IMPORTS
        + """
table = Mart(driving="mill.silver.orders", key=("order_id",),
             columns={"order_id": ("bigint", "o"), "at": ("timestamp", "t")})

@table.transform
def stamped(orders):
    return orders.select("order_id", F.current_timestamp().alias("at"))
"""
    )
    sql = (
        mill.IMPORTS
        + """
table = Aggregate(reads="mill.silver.orders", dimensions={"status": "status"},
                  measures={"lucky": Measure("sum", "CAST(rand() * 10 AS INT)")},
                  columns={"status": ("string", "s"), "lucky": ("bigint", "n")})
"""
    )
    tables = run.prepare(
        project(mill.NAME, {**mill.MODULES, "gold/stamped.py": unsteady, "gold/lucky.py": sql}, mill.CONF)
    ).tables

    assert planner.unsteady(tables["mill.gold.stamped"]) == "current_timestamp"
    assert planner.unsteady(tables["mill.gold.lucky"]) == "rand"
    assert {planner.unsteady(tables[f"mill.gold.{name}"]) for name in mill.GOLD} == {None}


@pytest.mark.parametrize(
    ("values", "ranges"),
    [
        (["o-1000", "o-1001", "o-1002"], [("o-100", "o-100\U0010ffff")]),
        ([1, 2, 3, 900_000], [(-1, 64), (899_967, 900_032)]),
        ([None, 70], [(63, 128)]),
    ],
)
def test_ranges_hold_all_keys_and_none_of_their_ends_is_one(values: list[Any], ranges: list[tuple[Any, Any]]) -> None:
    import pyarrow as pa

    found, with_null = held._ranges_of(pa.table({"key": pa.array(values)}))
    told = sorted(set(found["key"]))

    assert set(ranges) >= {told[0], told[-1]} or ranges == told
    assert all(any(low <= value <= high for low, high in told) for value in values if value is not None)
    assert not {end for one in told for end in one} & set(values)
    assert with_null == ({"key"} if None in values else set())


def test_a_change_of_many_rows_is_refused_by_name() -> None:
    large = economy.Change("x.silver.y", 40, 100, 0)
    cost = economy.Cost({}, {"full": 50.0, "incremental": 5.0}, (large,))

    assert cost.refused == "too much changed: 40 of 100 rows of x.silver.y"
    assert economy.Cost({}, cost.seconds, (economy.Change("x.silver.y", 4, 100, 0),)).refused is None


# Technique -> at most so many Spark jobs, of a mart with three lookups, or an aggregate with every measure.
MOST_JOBS = {"affected_keys": 32, "affected_groups": 24, "signed_delta": 12}


@pytest.mark.usefixtures("incremental")
def test_a_refresh_takes_no_more_spark_jobs_than_its_technique_may(first: Mill, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--connect"):
        pytest.skip("jobs are counted by the Spark context, which a Connect session does not have")
    first.refresh()
    first.write("lines", [line(1, 0, "p", 9, "9.00", 1), line(2, 0, "q", 9, "9.00", 1)])
    context = first.lake.sessions.start().sparkContext
    taken = {}
    for name in ("priced", "order_sums", "top", "per_day", "by_label", "running", "weeks", "best"):
        context.setJobGroup(f"counted {name}", name)
        outcome = first.refresh_here(name)
        taken[name] = (outcome.technique, len(context.statusTracker().getJobIdsForGroup(f"counted {name}")))

    assert {technique for technique, _ in taken.values()} == set(MOST_JOBS)
    assert {name: told for name, told in taken.items() if told[1] > MOST_JOBS[told[0]]} == {}


@pytest.mark.usefixtures("incremental")
def test_a_refresh_that_ended_between_its_two_commits_is_made_good_in_full(
    first: Mill, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise OSError("the disk is full")

    first.write("lines", [line(2, 1, "p", 1, "1", 1)])
    first.refresh()
    first.write("lines", [line(1, 0, "p", 9, "2.00", 1), {**line(2, 1, "p", 1, "1", 1), "_deleted": True}])
    monkeypatch.setattr(commits, "LARGE_BYTES", 0)
    monkeypatch.setattr(gold, "_WHOLE_BYTES", -1)
    with monkeypatch.context() as patch:
        patch.setattr(commits, "_replace", break_down)
        broken = first.refresh("priced", "by_label")
    half = Lake(first.lake.conf).state("mill.gold.priced")

    mended = first.refresh("priced", "by_label")

    assert (broken["priced"].status, broken["by_label"].status) == ("failed", "blocked")
    assert half is not None and half.good == half.data - 1
    assert (mended["priced"].technique, mended["priced"].reason) == (
        "full",
        f"the refresh that version {half.data} is half of did not end",
    )
    assert first.differences("priced", "by_label") == {}
