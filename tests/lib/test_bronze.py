"""Bronze: each record once, as received; append-only, and noticed where somebody went around that."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import PySparkException

from medallion import bronze, stored
from medallion.account import Account, Mark
from medallion.errors import HistoryError
from medallion.lake import Lake, State
from medallion.landing import LandedFile, Manifest
from medallion.step import Step
from medallion.stored import Stored
from medallion.tables import Bronze

EVENTS = """
description: Events
sources:
  events: {format: json, delivers: events, system: shop, idempotency_key: $.delivery, key: $.id, max_bytes: 200}
  lines: {format: json, delivers: events, system: till}
  extract: {format: csv, delivers: snapshot, system: crm, key: id}
"""
MODULES = {
    f"bronze/{source}.py": f"from medallion.tables import Bronze\ntable = Bronze(source='{source}')\n"
    for source in ("events", "lines", "extract")
}
APPEND_ONLY = "DELTA_CANNOT_MODIFY_APPEND_ONLY"
Factory = Callable[..., Any]


def _counts(report: Any, name: str) -> dict[str, int]:
    (outcome,) = [o for o in report.outcomes if o.table == name]
    assert outcome.error is None
    assert outcome.rows["read"] == outcome.rows["stored"] + outcome.rows["duplicates"]
    return dict(outcome.rows)


def _payloads(lake: Any, name: str) -> Counter[str]:
    return Counter(row.payload for row in lake.stored(name).select("payload").collect())


@pytest.fixture(scope="module")
def taken_in(shared_scratch: Factory) -> Any:
    """Return a lake that took in day one: events, lines and an extract; and its report."""
    lake = shared_scratch("intake", MODULES, EVENTS)
    lake.deliver(
        "events",
        {"delivery": "d1", "id": 7, "n": 1},
        {"delivery": "d2", "id": 7, "n": 2},
        {"delivery": "d1", "id": 7, "n": 1},
        '\n\t{"delivery": "d3", "id": 8}\n',
        "no JSON",
        "[1]",
        "null",
        "7",
        '{"delivery": "d4", "delivery": "d5"}',
        '{"delivery": "d6", "x": {"a": 1, "a": 2}}',
        "",
        json.dumps({"delivery": "d7", "text": "x" * 200}),
        b'{"delivery": "d8", "text": "\xff"}',
        '{"id": 9}',
        '{"delivery": null, "id": 9}',
    )
    lake.deliver("lines", '{"a": 1}\n{"b": 2}\n{"a": 1}\n', ending="jsonl")
    lake.deliver("extract", "id,name\n1,A\n2,C\n", ending="csv")
    return lake, lake.run()


def test_records_are_stored_once_with_their_place_and_key(taken_in: Any) -> None:
    lake, report = taken_in

    stored = lake.stored("intake.bronze.events")
    sound = {row._position: row for row in stored.where("_problem IS NULL").collect()}
    found = {
        (r.payload.strip(), r._key, r._landing_file.split("/")[-1]) for r in stored.where("_problem IS NULL").collect()
    }

    assert _counts(report, "intake.bronze.events") == {"read": 15, "stored": 14, "duplicates": 1}
    assert found == {
        ('{"delivery": "d1", "id": 7, "n": 1}', "7", "000000.json"),
        ('{"delivery": "d2", "id": 7, "n": 2}', "7", "000001.json"),
        ('{"delivery": "d3", "id": 8}', "8", "000003.json"),
        ('{"id": 9}', "9", "000013.json"),
        ('{"delivery": null, "id": 9}', "9", "000014.json"),
    }
    assert sound[1]._source_system == "shop"
    assert stored.select("_record_id").distinct().count() == 14


def test_payloads_that_cannot_be_read_are_kept_and_marked(taken_in: Any) -> None:
    lake, _ = taken_in

    rows = lake.stored("intake.bronze.events").where("_problem IS NOT NULL").collect()

    told = {row.payload: row._problem for row in rows}
    assert told == {
        "no JSON": "not a JSON object",
        "[1]": "not a JSON object",
        "null": "not a JSON object",
        "7": "not a JSON object",
        '{"delivery": "d4", "delivery": "d5"}': "not a JSON object",
        '{"delivery": "d6", "x": {"a": 1, "a": 2}}': "not a JSON object",
        "": "empty",
        json.dumps({"delivery": "d7", "text": "x" * 200}): "too large: 230 bytes, at most 200",
        '{"delivery": "d8", "text": "\\xff"}': "not utf-8",
    }
    assert [row._key for row in rows] == [None] * len(rows)


def test_equal_lines_of_a_file_are_records_of_their_own(taken_in: Any) -> None:
    lake, report = taken_in

    rows = lake.stored("intake.bronze.lines").orderBy("_position").collect()

    assert _counts(report, "intake.bronze.lines") == {"read": 3, "stored": 3, "duplicates": 0}
    assert [(row.payload, row._position) for row in rows] == [('{"a": 1}', 1), ('{"b": 2}', 2), ('{"a": 1}', 3)]


def test_a_source_without_a_delivery_makes_an_empty_table_in_one_commit(taken_in: Any, scratch: Factory) -> None:
    filled, _ = taken_in
    lake = scratch("idle", MODULES, EVENTS)
    names = [f"bronze.{source}" for source in ("events", "lines", "extract")]

    report = lake.run()
    again = lake.run()

    assert [(o.status, o.reason, o.version) for o in report.outcomes] == [("done", bronze.NONE_YET, 0)] * 3
    assert [o.status for o in again.outcomes] == ["skipped"] * 3
    assert lake.versions() == {f"idle.{name}": 0 for name in names}
    for name in names:
        assert _counts(report, f"idle.{name}") == {"read": 0, "stored": 0, "duplicates": 0}
        empty = lake.stored(f"idle.{name}")
        assert empty.schema == filled.stored(f"intake.{name}").schema
        assert empty.count() == 0
        with pytest.raises(PySparkException, match=APPEND_ONLY):
            lake.sessions.start().sql(f"DELETE FROM delta.`{Lake(lake.conf).path(f'idle.{name}')}`")


def test_the_first_delivery_to_an_empty_table_is_taken_in_whole(scratch: Factory) -> None:
    lake = scratch("late", MODULES, EVENTS)
    lake.run()
    lake.deliver("events", {"delivery": "d1", "id": 7}, {"delivery": "d1", "id": 7})
    lake.deliver("extract", "id,name\n1,A\n", ending="csv")

    report = lake.run()

    assert _counts(report, "late.bronze.events") == {"read": 2, "stored": 1, "duplicates": 1}
    assert _counts(report, "late.bronze.extract") == {"read": 1, "stored": 1, "duplicates": 0}
    commits = list(Lake(lake.conf).history("late.bronze.events"))
    assert [commit.account.watermark["landing.events"] for commit in commits] == [Mark(1, since=0), Mark(0, since=-1)]
    assert [bronze.delivered(Lake(lake.conf), "late.bronze.events", "events", version) for version in (0, 1)] == [0, 1]


def test_the_commit_carries_the_account(taken_in: Any) -> None:
    lake, report = taken_in

    commit = next(Lake(lake.conf).history("intake.bronze.events"))

    assert (commit.version, commit.operation) == (0, "WRITE")
    assert isinstance(commit.account, Account)
    assert (commit.account.run_id, commit.account.technique) == (report.run_id, "append")
    assert commit.account.watermark["landing.events"].version == 1
    assert commit.account.rows == {"read": 15, "stored": 14, "duplicates": 1}
    assert (commit.account.data, commit.account.good) == (0, 0)


def test_what_comes_again_is_counted_and_what_is_news_is_stored(taken_in: Any) -> None:
    lake, _ = taken_in
    before = lake.versions()
    idle = lake.run()
    versions_when_idle = lake.versions()
    # Day two: d1 again; d1 and d2 with other bytes, d1's twice; an unreadable one again; and one new.
    other = {"delivery": "d1", "id": 7, "n": 99}
    lake.deliver("events", {"delivery": "d1", "id": 7, "n": 1}, other, other, "no JSON", {"delivery": "d9", "id": 1})
    lake.deliver("lines", '{"a": 1}\n{"b": 2}\n{"a": 1}\n', ending="jsonl")
    lake.deliver("extract", "id,name\n1,B\n2,C\n", ending="csv")
    second = lake.run()
    # Day three: the other bytes again, without a new record; A for the second time.
    lake.deliver("events", other)
    lake.deliver("extract", "id,name\n1,A\n2,C\n2,C\n", ending="csv")
    third = lake.run()

    assert {outcome.status for outcome in idle.outcomes} == {"skipped"}
    assert versions_when_idle == before
    assert _counts(second, "intake.bronze.events") == {"read": 5, "stored": 2, "duplicates": 3}
    assert _counts(second, "intake.bronze.lines") == {"read": 3, "stored": 0, "duplicates": 3}
    assert _counts(second, "intake.bronze.extract") == {"read": 2, "stored": 1, "duplicates": 1}
    assert _counts(third, "intake.bronze.events") == {"read": 1, "stored": 0, "duplicates": 1}
    assert _counts(third, "intake.bronze.extract") == {"read": 3, "stored": 2, "duplicates": 1}

    events = lake.stored("intake.bronze.events").where("_identity <> _record_id").collect()
    assert [(row.payload, row._problem, row._delivery) for row in events] == [
        (json.dumps(other), "idempotency key reused with other bytes", 2)
    ]
    assert _payloads(lake, "intake.bronze.lines") == {'{"a": 1}': 2, '{"b": 2}': 1}
    extract = lake.stored("intake.bronze.extract").orderBy("_delivery", "_position").collect()
    assert [(row.payload, row._delivery, row.fields["name"]) for row in extract] == [
        ("1,A", 1, "A"),
        ("2,C", 1, "C"),
        ("1,B", 2, "B"),
        ("1,A", 3, "A"),
        ("2,C", 3, "C"),
    ]
    assert len({row._record_id for row in extract}) == 5


@pytest.mark.parametrize(
    ("most", "lookups"), [(2, 4), *(pytest.param(*case, marks=pytest.mark.once) for case in ((1_000, 1), (0, 5)))]
)
def test_batches_of_a_run_know_each_other(
    scratch: Factory, monkeypatch: pytest.MonkeyPatch, most: int, lookups: int
) -> None:
    """Whether a run remembers what it has appended, or looks it up when it has become too much."""
    conf = "description: E\nsources: {events: {format: json, delivers: events, system: shop, idempotency_key: $.key}}"
    lake = scratch("split", {"bronze/events.py": MODULES["bronze/events.py"]}, conf)
    lake.deliver("events", {"key": "a", "n": 1}, {"key": "b", "n": 1})
    lake.run()
    asked: list[int] = []
    looked_up = stored._looked_up
    monkeypatch.setattr(bronze, "BATCH_BYTES", 1)
    monkeypatch.setattr(bronze, "REMOTE_BATCH_BYTES", 1)
    monkeypatch.setattr(stored, "MOST", most)
    monkeypatch.setattr(stored, "_looked_up", lambda *given: asked.append(given[1].version) or looked_up(*given))
    for payloads in (
        [{"key": "a", "n": 1}, {"key": "c", "n": 1}],
        [{"key": "c", "n": 1}, {"key": "d", "n": 1}],
        [{"key": "b", "n": 2}, {"key": "c", "n": 2}],
        [{"key": "c", "n": 2}, {"key": "b", "n": 2}, {"key": "e", "n": 1}],
        [{"key": "e", "n": 1}],
    ):
        lake.deliver("events", *payloads)

    (outcome,) = lake.run().outcomes

    assert outcome.rows == {"read": 10, "stored": 5, "duplicates": 5}
    rows = lake.stored("split.bronze.events").collect()
    assert Counter(json.loads(row.payload)["key"] for row in rows) == {"a": 1, "b": 2, "c": 2, "d": 1, "e": 1}
    reused = [row for row in rows if row._problem == "idempotency key reused with other bytes"]
    assert sorted((json.loads(row.payload)["key"], json.loads(row.payload)["n"]) for row in reused) == [
        ("b", 2),
        ("c", 2),
    ]
    assert len(asked) == 5 and len(set(asked)) == lookups


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE delta.`{path}` SET payload = 'x'",
        "DELETE FROM delta.`{path}`",
        "INSERT OVERWRITE delta.`{path}` SELECT * FROM delta.`{path}` LIMIT 1",
        "MERGE INTO delta.`{path}` t USING (SELECT 1 AS one) ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_changing_rows_is_refused(taken_in: Any, statement: str) -> None:
    lake, _ = taken_in
    path = Lake(lake.conf).path("intake.bronze.events")

    with pytest.raises(PySparkException, match=APPEND_ONLY):
        lake.sessions.fresh(0).sql(statement.format(path=path)).collect()


@pytest.mark.once
def test_a_restore_by_hand_is_noticed_and_its_repair_is_told(scratch: Factory) -> None:
    conf = "description: E\nsources: {events: {format: json, delivers: events, system: shop}}"
    lake = scratch("restored", {"bronze/events.py": MODULES["bronze/events.py"]}, conf)
    name, sql = "restored.bronze.events", lake.sessions.fresh(0).sql
    for number in range(2):
        lake.deliver("events", {"n": number})
        lake.run()

    sql(f"RESTORE TABLE delta.`{Lake(lake.conf).path(name)}` TO VERSION AS OF 0").collect()
    failed = [lake.run().outcomes[0] for _ in range(2)]
    error = failed[0].error or ""
    repair = error[error.index("RESTORE TABLE") : error.index(" brings them back")]
    sql(repair).collect()
    idle = lake.run().outcomes[0]
    lake.deliver("events", {"n": 2}, {"n": 0})
    mended = lake.run().outcomes[0]

    assert [outcome.status for outcome in failed] == ["failed", "failed"]
    assert f"{name}: append-only, but found RESTORE to version 0 at version 2; records that were" in error
    assert repair.endswith("TO VERSION AS OF 1")
    assert (idle.status, mended.status, mended.rows) == ("skipped", "done", {"read": 2, "stored": 1, "duplicates": 1})
    assert _payloads(lake, name) == {'{"n": 0}': 1, '{"n": 1}': 1, '{"n": 2}': 1}


def test_a_table_that_took_in_another_source_is_refused() -> None:
    account = Account("run", "append", "", "", {"landing.tills": Mark(7)}, data=3, good=3)
    state = State("intake.bronze.lines", "/somewhere", "id", 3, account)

    assert bronze.consumed(state, Bronze("tills")) == 7
    with pytest.raises(
        HistoryError, match=r"intake\.bronze\.lines: found records of landing\.tills, wanted landing\.lines"
    ):
        bronze.consumed(state, Bronze("lines"))


def test_a_batch_that_does_not_add_up_is_refused(scratch: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of `read = stored + duplicates`: an account that lost a record raises."""
    conf = "description: E\nsources: {events: {format: json, delivers: events, system: shop}}"
    lake = scratch("lossy", {"bronze/events.py": MODULES["bronze/events.py"]}, conf)
    lake.deliver("events", {"n": 1}, {"n": 2})
    sort_out = Stored.sort_out
    monkeypatch.setattr(Stored, "sort_out", lambda *arguments: (sort_out(*arguments)[0], 1))  # a duplicate that is none

    (outcome,) = lake.run().outcomes
    assert outcome.status == "failed"
    assert "lossy.bronze.events: version 0 wrote 2 rows, its account says" in (outcome.error or "")


def test_the_first_batch_is_read_while_spark_starts() -> None:
    opened: list[bool] = []
    step = Step(None, None, lambda: opened.append(True))  # type: ignore[arg-type]
    pending = [Manifest(n, "events", "", "", (LandedFile("a", "a", 40 * 2**20, ""),)) for n in range(1, 7)]

    parts = bronze._parts(step, pending)

    assert [one.number for one in next(parts)] == [1]
    assert not opened
    assert [[one.number for one in part] for part in parts] == [[2, 3, 4], [5, 6]]
    assert opened
