"""Commits: each carries its own account, a repeat is never silent, and a note moves no row."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from medallion import commits
from medallion.account import GOING, GONE, KEYS, Account, Mark
from medallion.conf import Conf
from medallion.errors import CommitError, ConfError, LakehouseError
from medallion.lake import Lake
from medallion.session import Sessions
from medallion.trace import versions
from medallion.views import history
from tests import figures

NAME = "committed.silver.numbers"
BY_ID = commits.Match(["id"])
GONE_FIRST = commits.Match(["id"], gone_first=True)
CONF = "description: Commits\n"


@pytest.fixture
def lake(project: Callable[..., Conf]) -> Lake:
    return Lake(project("committed", {}, CONF))


@pytest.fixture
def session(sessions: Sessions) -> SparkSession:
    return sessions.fresh(0)


def _account(run: str = "first", **more: Any) -> Account:
    marks = {"committed.bronze.numbers": Mark(3, "some-id", 1), "landing.numbers": Mark(7)}
    return Account(run, "append", 'for a "test": \' ü', "print", marks, {"read": 2}, good=commits.SAME_COMMIT, **more)


def _target(lake: Lake, properties: Mapping[str, str] = commits.CURATED) -> commits.Target:
    return commits.Target(NAME, lake.state(NAME), properties)


def _numbers(session: SparkSession, *numbers: int) -> DataFrame:
    return session.createDataFrame([(n, f"n{n}") for n in numbers], "id int, name string").coalesce(1)


def _stored(lake: Lake, session: SparkSession) -> list[int]:
    return sorted(row.id for row in session.read.format("delta").load(lake.path(NAME)).collect())


@pytest.mark.parametrize("vectors", ["true", "false"])
def test_rows_of_a_large_table_are_replaced_as_a_merge_would(
    lake: Lake, session: SparkSession, monkeypatch: pytest.MonkeyPatch, vectors: str
) -> None:
    rows = "id int, name string"
    first = session.createDataFrame([(1, "a"), (2, None), (None, "c"), (4, "d")], rows).coalesce(1)
    target = _target(lake, {**commits.CURATED, "delta.enableDeletionVectors": vectors})
    commits.append(lake, target, first, _account())
    monkeypatch.setattr(commits, "LARGE_BYTES", 0)
    came = session.createDataFrame([(2, "b"), (None, None), (5, "e"), (4, "d")], rows).coalesce(1)
    done = commits.merge(lake, _target(lake), came, BY_ID, _account("second"))
    stored = session.read.format("delta").load(lake.path(NAME))
    assert_df_equality(
        stored,
        session.createDataFrame([(1, "a"), (2, "b"), (None, None), (4, "d"), (5, "e")], rows),
        ignore_row_order=True,
        ignore_nullable=True,
        ignore_metadata=True,
    )
    newest = next(lake.history(NAME, 1))
    assert newest.account == done
    if vectors == "false":  # then Delta can only merge
        assert (newest.operation, newest.replaced) == ("MERGE", None)
        return
    assert (newest.operation, newest.replaced, newest.changed) == ("WRITE", (3, 4), 7)
    feed = session.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 1)
    found = feed.load(lake.path(NAME)).select("_change_type", "id", "name").collect()
    went = {("delete", 2, None), ("delete", None, "c"), ("delete", 4, "d")}
    assert {tuple(row) for row in found} == went | {
        ("insert", 2, "b"), ("insert", None, None), ("insert", 5, "e"), ("insert", 4, "d")
    }  # fmt: skip
    planned_on_the_first = replace(_target(lake), state=replace(lake.state(NAME), version=0))  # type: ignore[type-var]
    with pytest.raises(CommitError, match="planned version 1 by run third, found version 1"):
        commits.merge(lake, planned_on_the_first, came, BY_ID, _account("third"))


def _going(session: SparkSession) -> DataFrame:
    """Rows of which one updates, two go, one of them without being there, and one comes."""
    rows = [(2, "new", False), (1, None, True), (7, None, True), (5, "n5", False)]
    return session.createDataFrame(rows, "id int, name string, _gone boolean").coalesce(1)


def test_what_is_gone_from_a_large_table_goes_in_a_commit_before(
    lake: Lake, session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commits.append(lake, _target(lake), _numbers(session, 1, 2, 3), _account())
    monkeypatch.setattr(commits, "LARGE_BYTES", 0)
    told = {"read": 4, KEYS: 4, "written": 2, GONE: 2}

    done = commits.merge(lake, _target(lake), _going(session), GONE_FIRST, replace(_account("second"), rows=told))

    last, before = lake.history(NAME, 2)
    assert (before.operation, before.changed, last.operation, last.replaced) == ("MERGE", 1, "WRITE", (1, 2))
    assert (last.account, done.data, done.good) == (done, 2, 2)
    half = before.account
    assert half is not None
    assert (half.run_id, half.technique, half.data, half.good) == ("second", GOING, 1, first.good)
    assert (half.watermark, half.rows) == (first.watermark, {"read": 0, KEYS: 2, "written": 0, GONE: 2})
    assert [entry.standing for entry in history.entries([last, before])] == ["current", "half"]
    found = session.read.format("delta").load(lake.path(NAME)).collect()
    assert {tuple(row) for row in found} == {(2, "new"), (3, "n3"), (5, "n5")}
    feed = session.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 1)
    changes = feed.load(lake.path(NAME)).select("_commit_version", "_change_type", "id").collect()
    assert {tuple(row) for row in changes} == {(1, "delete", 1), (2, "delete", 2), (2, "insert", 2), (2, "insert", 5)}


@pytest.mark.parametrize(("gone", "left"), [([1, 2], []), ([7], [1, 2])])
def test_from_a_large_table_all_may_go_or_nothing_that_is_there(
    lake: Lake, session: SparkSession, monkeypatch: pytest.MonkeyPatch, gone: list[int], left: list[int]
) -> None:
    commits.append(lake, _target(lake), _numbers(session, 1, 2), _account())
    monkeypatch.setattr(commits, "LARGE_BYTES", 0)
    source = _numbers(session, *gone).selectExpr("*", "true AS _gone")

    commits.merge(lake, _target(lake), source, GONE_FIRST, _account("last"))

    assert _stored(lake, session) == left


def test_where_no_gate_keeps_readers_back_all_goes_and_comes_in_one_commit(
    lake: Lake, session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits.append(lake, _target(lake), _numbers(session, 1, 2, 3), _account())
    monkeypatch.setattr(commits, "LARGE_BYTES", 0)

    done = commits.merge(lake, _target(lake), _going(session), BY_ID, _account("second"))

    assert (done.data, next(lake.history(NAME, 1)).operation) == (1, "MERGE")
    assert _stored(lake, session) == [2, 3, 5]


def test_readers_stay_before_a_refresh_of_which_only_half_was_done(
    lake: Lake, session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commits.append(lake, _target(lake), _numbers(session, 1, 2, 3), _account())
    monkeypatch.setattr(commits, "LARGE_BYTES", 0)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk"):
        patch.setattr(commits, "_replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        commits.merge(lake, _target(lake), _going(session), GONE_FIRST, _account("second"))

    state = lake.state(NAME)
    assert state is not None
    assert (state.data, state.good, state.foreign) == (1, first.good, None)
    with pytest.raises(ConfError, match="version 1 is half of a refresh, which took away what is gone: wanted 0, or 2"):
        versions.state_at(lake, NAME, 1)
    assert versions.state_at(lake, NAME).data == first.good


def test_each_way_to_commit_carries_its_account_and_moves_data_and_good(lake: Lake, session: SparkSession) -> None:
    appended = commits.append(lake, _target(lake), _numbers(session, 1, 2), _account())
    merged = commits.merge(lake, _target(lake), _numbers(session, 2, 3), BY_ID, _account("second"))
    kept = replace(_account("third"), data=merged.data, good=merged.good)
    commits.note(lake, _target(lake), session, kept)
    gone = _numbers(session, 1, 4).selectExpr("id", "name", "id = 1 AS _gone")
    commits.merge(lake, _target(lake), gone, BY_ID, _account("fourth"))
    rows_now = _stored(lake, session)
    unjudged = commits.overwrite(lake, _target(lake), _numbers(session, 9), replace(_account("fifth"), good=3))

    found = {commit.version: commit for commit in lake.history(NAME)}
    accounts = [found[version].account for version in range(5)]
    assert [a.run_id for a in accounts if a] == ["first", "second", "third", "fourth", "fifth"]
    assert [(a.data, a.good) for a in accounts if a] == [(0, 0), (1, 1), (1, 1), (3, 3), (4, 3)]
    assert (accounts[0], accounts[2], accounts[4]) == (appended, kept, unjudged)
    assert rows_now == [2, 3, 4]
    assert _stored(lake, session) == [9]
    assert found[2].operation == "SET TBLPROPERTIES"


def test_an_account_comes_back_as_it_was_written() -> None:
    account = _account(run_date="2026-01-31", data=3)

    assert Account.from_json(account.to_json()) == account
    for foreign in (None, "", "{}", "[]", "1", "no JSON", '{"medallion": 99}'):
        assert Account.from_json(foreign) is None


@pytest.mark.parametrize("write", ["append", "overwrite", "merge"])
def test_a_repeated_transaction_is_noticed_and_does_nothing(lake: Lake, session: SparkSession, write: str) -> None:
    commits.append(lake, _target(lake), _numbers(session, 1), _account())
    planned = _target(lake)  # as two runs might have planned at the same time
    commit: Callable[[int, str], Account] = {
        "append": lambda n, run: commits.append(lake, planned, _numbers(session, n), _account(run)),
        "overwrite": lambda n, run: commits.overwrite(lake, planned, _numbers(session, n), _account(run)),
        "merge": lambda n, run: commits.merge(lake, planned, _numbers(session, n), BY_ID, _account(run)),
    }[write]
    commit(2, "ours")
    before = _stored(lake, session)

    with pytest.raises(CommitError) as refused:
        commit(3, "theirs")

    state = lake.state(NAME)
    assert str(refused.value).startswith(
        f"{NAME}: planned version 1 by run theirs, found version 1 by run ours; somebody"
    )
    assert state is not None
    assert (state.version, _stored(lake, session)) == (1, before)


@pytest.mark.parametrize("write", ["append", "overwrite", "merge"])
def test_a_counter_that_is_ahead_is_refused_and_not_skipped_in_silence(
    lake: Lake, session: SparkSession, write: str
) -> None:
    commits.append(lake, _target(lake), _numbers(session, 1), _account())
    path, state = lake.path(NAME), lake.state(NAME)
    assert state is not None
    ahead = _numbers(session, 5).write.format("delta").mode("append").option("txnAppId", state.table_id)
    ahead.option("txnVersion", "99").option("userMetadata", _account("ahead").to_json()).save(path)
    commit: Callable[[], Account] = {
        "append": lambda: commits.append(lake, _target(lake), _numbers(session, 2), _account("ours")),
        "overwrite": lambda: commits.overwrite(lake, _target(lake), _numbers(session, 2), _account("ours")),
        "merge": lambda: commits.merge(lake, _target(lake), _numbers(session, 2), BY_ID, _account("ours")),
    }[write]

    with pytest.raises(CommitError, match="nothing was written: planned transaction 2, its log has one numbered 99"):
        commit()

    assert _stored(lake, session) == [1, 5]


@pytest.mark.parametrize("write", ["append", "overwrite", "merge", "note"])
@pytest.mark.parametrize("has_landed", [True, False])
def test_a_commit_whose_answer_was_lost_counts_once_if_it_landed(
    lake: Lake, session: SparkSession, monkeypatch: pytest.MonkeyPatch, write: str, has_landed: bool
) -> None:
    commits.append(lake, _target(lake), _numbers(session, 1), _account())
    planned, account, news = _target(lake), _account("second"), _numbers(session, 2)
    commit: Callable[[], Account] = {
        "append": lambda: commits.append(lake, planned, news, account),
        "overwrite": lambda: commits.overwrite(lake, planned, news, account),
        "merge": lambda: commits.merge(lake, planned, news, BY_ID, account),
        "note": lambda: commits.note(lake, planned, session, replace(account, data=0, good=0)),
    }[write]
    of, name = (type(session), "sql") if write in ("merge", "note") else (type(news.write), "save")
    real = getattr(of, name)

    def cut_off(self: Any, *given: Any) -> None:
        if has_landed:
            real(self, *given)
        raise ConnectionError("the answer was lost")

    with monkeypatch.context() as cut:
        cut.setattr(of, name, cut_off)
        if has_landed:
            assert commit().run_id == "second"
        else:
            with pytest.raises(ConnectionError):
                commit()

    state = lake.state(NAME)
    assert state is not None
    moved = state.version - has_landed
    figures.note("answers lost", injected=1, doubled=int(moved > 0), lost=int(moved < 0))
    assert state.version == has_landed
    stored = {"append": [1, 2], "overwrite": [2], "merge": [1, 2], "note": [1]}[write]
    assert _stored(lake, session) == (stored if has_landed else [1])


@pytest.mark.soak
def test_a_hundred_answers_that_are_lost_double_nothing(
    lake: Lake, session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits.append(lake, _target(lake), _numbers(session, 0), _account())
    frame = _numbers(session, 0)
    real = type(frame.write).save

    def cut_off(self: Any, *given: Any) -> None:
        real(self, *given)
        raise ConnectionError("the answer was lost")

    monkeypatch.setattr(type(frame.write), "save", cut_off)
    for number in range(1, 101):
        commits.append(lake, _target(lake), _numbers(session, number), _account(f"run-{number}"))

    stored = _stored(lake, session)
    twice, lost = len(stored) - len(set(stored)), len(set(range(101)) - set(stored))
    figures.note("answers lost", injected=100, doubled=twice, lost=lost)
    assert (twice, lost) == (0, 0)


def test_a_creation_that_somebody_was_faster_with_is_noticed(lake: Lake, session: SparkSession) -> None:
    planned = _target(lake)
    commits.append(lake, planned, _numbers(session, 1), _account("ours"))

    with pytest.raises(CommitError, match="planned version 0 by run theirs, found version 1 by run theirs"):
        commits.append(lake, planned, _numbers(session, 2), _account("theirs"))


def test_a_note_needs_a_table(lake: Lake, session: SparkSession) -> None:
    with pytest.raises(CommitError, match=f"{NAME}: nothing to note in a table that does not exist"):
        commits.note(lake, _target(lake), session, _account())


def test_nulls_meet_nulls_in_a_merge(lake: Lake, session: SparkSession) -> None:
    schema = "id int, name string"
    commits.append(lake, _target(lake), session.createDataFrame([(None, "old")], schema), _account())

    commits.merge(lake, _target(lake), session.createDataFrame([(None, "new")], schema), BY_ID, _account("second"))

    rows = session.read.format("delta").load(lake.path(NAME)).collect()
    assert [(row.id, row.name) for row in rows] == [(None, "new")]


def test_no_setting_of_a_commit_outlives_it(lake: Lake, session: SparkSession) -> None:
    commits.append(lake, _target(lake), _numbers(session, 1), _account())
    broken = _numbers(session, 2).selectExpr("id", "CAST(raise_error('broken') AS string) AS name")

    with pytest.raises(PySparkException, match="broken"):
        commits.merge(lake, _target(lake), broken, BY_ID, _account("second"))

    for setting in (commits._METADATA, commits._TXN_APP, commits._TXN_VERSION):
        assert session.conf.get(setting, None) is None


def test_two_threads_at_once_keep_their_own_metadata(project: Callable[..., Conf], sessions: Sessions) -> None:
    lake = Lake(project("committed", {}, CONF))
    names = [f"committed.silver.t{number}" for number in range(3)]
    start = Barrier(len(names))
    failures: list[Exception] = []

    def write(name: str) -> None:
        try:
            session = sessions.fresh(0)
            start.wait()
            for turn in range(2):
                target = commits.Target(name, lake.state(name), commits.CURATED)
                commits.merge(lake, target, _with_gone(session, turn), BY_ID, _account(f"{name}-{turn}"))
        except (LakehouseError, PySparkException) as error:
            failures.append(error)

    threads = [Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    runs = {name: [c.account.run_id for c in lake.history(name) if c.account] for name in names}
    assert failures == []
    assert runs == {name: [f"{name}-1", f"{name}-0"] for name in names}


def _with_gone(session: SparkSession, number: int) -> DataFrame:
    return _numbers(session, number).selectExpr("*", "false AS _gone")


def test_a_commit_by_hand_is_told_and_a_harmless_one_is_passed_over(lake: Lake, session: SparkSession) -> None:
    commits.append(lake, _target(lake), _numbers(session, 1, 2), _account())
    path = lake.path(NAME)
    session.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('note' = 'x')")
    harmless = lake.state(NAME)
    session.sql(f"DELETE FROM delta.`{path}` WHERE id = 1").collect()
    changed = lake.state(NAME)
    session.sql(f"RESTORE TABLE delta.`{path}` TO VERSION AS OF 0").collect()
    restored = lake.state(NAME)

    assert harmless and changed and restored
    assert (harmless.foreign, harmless.version, harmless.data, harmless.good) == (None, 1, 0, 0)
    assert (changed.foreign, changed.version, changed.data) == ("DELETE at version 2", 2, 0)
    assert (restored.foreign, restored.version, restored.data) == (None, 3, 0)
    commits.append(lake, _target(lake), _numbers(session, 3), _account("after"))
    assert _stored(lake, session) == [1, 2, 3]
