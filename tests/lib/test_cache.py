"""Caches hold exactly what readers of their table see: after full builds, changes, deletes and new columns."""

import json
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from medallion import cache, cli, lock, run
from medallion.cache import build, change, sync
from medallion.cache import source as cache_source
from medallion.cache.log import Log
from medallion.cache.source import Source
from medallion.errors import ConfError, LockedError
from tests.lib.cache_lab import NAME, NOON, PIPELINE, PUBLIC, SCHEMA, SILVER, Yard, forget_modules, log, sound


def test_a_full_build_holds_every_row_and_type_exactly(yard: Yard) -> None:
    odd = [
        log(1, wide=None, fee=None, notes='nul \x00 in it, "quoted", 日本語, \U0001f3e0'),
        log(2, ratio=float("inf"), tags=[], title=""),
        log(3, ratio=-0.0, at=NOON.replace(year=1960, microsecond=1), tags=[None, 'x"y']),
    ]
    yard.write([*odd, *(log(number) for number in range(10, 200))])

    done = yard.sync()

    assert (done.technique, done.rows, done.error) == ("full", 193, None)
    assert yard.held() == yard.wanted()
    sound(yard)


def test_not_a_number_is_kept_apart_from_null(yard: Yard) -> None:
    yard.write([log(1, ratio=float("nan")), log(2, ratio=None)])
    yard.sync()

    assert [row[PUBLIC.index("ratio")] for row in yard.held()] == ["NaN", None]


def test_changes_are_followed_without_a_build(filled: Yard) -> None:
    changed = [log(3, status="New"), log(5, fee=None, is_open=None), log(1000), log(1001, at=None)]
    moved = [log(9, at=NOON + timedelta(days=1)), log(10, at=None)]
    filled.merge([*changed, *moved, log(11, _deleted=True)], gone=["L-00004"])

    done = filled.sync()

    assert (done.technique, done.changed, done.rows, done.error) == ("changes", 8, 300, None)
    assert filled.place.current() == 1
    assert filled.held() == filled.wanted()
    sound(filled)


def test_several_versions_and_rows_that_come_and_go_between_syncs_are_followed(filled: Yard) -> None:
    filled.merge([log(500), log(2, status="A")])
    filled.merge([log(2, status="B"), log(501)], gone=["L-00500"])
    filled.merge([log(500, status="back")], gone=["L-00501", "L-00006"])
    filled.merge([log(6, status="again"), log(7, _deleted=True)])
    filled.merge([log(7, _deleted=False, status="alive again")])

    done = filled.sync()

    assert done.technique == "changes"
    assert filled.held() == filled.wanted()
    sound(filled)


def test_any_run_of_changes_leads_to_what_a_build_makes(filled: Yard) -> None:
    chance = random.Random(7)
    for _ in range(12):
        touched = chance.sample(range(330), 25)
        gone = [f"L-{number:05d}" for number in touched[:5]]
        rows = [
            log(
                number,
                status=chance.choice(["Open", "Won't", None]),
                at=chance.choice([None, NOON, NOON - timedelta(minutes=chance.randrange(300))]),
                _deleted=chance.random() < 0.2,
            )
            for number in touched[5:]
        ]
        filled.merge(rows, gone)
        if chance.random() < 0.6:
            assert filled.sync().error is None
            assert filled.held() == filled.wanted()
            sound(filled)


def test_an_equal_version_is_left_alone(filled: Yard) -> None:
    before = filled.place.file(1).stat().st_mtime_ns

    done = filled.sync()

    assert (done.technique, done.changed) == ("none", 0)
    assert filled.place.file(1).stat().st_mtime_ns == before
    assert len(Log(filled.place.root).entries(NAME)) == 1


def test_rows_that_did_not_pass_their_gate_are_not_taken(filled: Yard) -> None:
    filled.merge([log(3, status="bad")], good=False)
    assert filled.sync().technique == "none"

    filled.merge([log(4, status="fine")])
    assert filled.sync().version == 2
    assert filled.held() == filled.wanted()


def test_a_version_with_more_than_a_third_changed_is_built_anew(yard: Yard) -> None:
    yard.write(log(number) for number in range(4000))
    yard.sync()
    yard.merge(log(number, status="New") for number in range(1400))

    done = yard.sync()

    assert (done.technique, done.reason) == ("full", "1,400 of 4,000 rows changed")
    assert yard.held() == yard.wanted()
    assert [path.name for path in yard.place.root.glob("*.sqlite") if path.is_symlink()] == [f"{NAME}.sqlite"]


def test_new_columns_lead_to_a_build(filled: Yard) -> None:
    module = filled.folder / "jobs/yard/silver/logs.py"
    module.write_text(SILVER.replace('"tags": (', '"extra": ("bigint", "more"), "tags": ('))
    forget_modules()
    schema = SCHEMA.append(pa.field("extra", pa.int64()))
    filled.write([log(number, extra=number) for number in range(50)], mode="overwrite", schema=schema)

    done = filled.sync()

    assert (done.technique, done.reason) == ("full", "the table's columns or its conf changed")
    assert len(filled.held()[0]) == len(PUBLIC) + 1
    assert {row["extra"] for row in _dicts(filled)} == set(range(50))


def test_changed_conf_leads_to_a_build(filled: Yard) -> None:
    conf = filled.folder / "conf/pipelines/yard.yaml"
    conf.write_text(conf.read_text().replace("[title, notes]", "[title]"))

    done = filled.sync()

    assert (done.technique, done.reason) == ("full", "the table's columns or its conf changed")
    assert filled.sync().technique == "none"


def test_a_recreated_table_leads_to_a_build(filled: Yard) -> None:
    shutil.rmtree(filled.path)
    filled.write(log(number, status="other") for number in range(20))

    done = filled.sync()

    assert (done.technique, done.reason) == ("full", "the table was recreated")
    assert filled.held() == filled.wanted()


def test_a_change_by_hand_leads_to_a_build(filled: Yard) -> None:
    filled.by_hand()
    filled.merge([log(3, status="New")])

    done = filled.sync()

    assert (done.technique, done.reason) == ("full", "its rows were changed by hand: DELETE at version 1")
    assert filled.held() == filled.wanted()


def test_a_feed_that_does_not_add_up_leads_to_a_build(filled: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.merge([log(900), log(901)])
    whole = Source.changes
    monkeypatch.setattr(Source, "changes", lambda self, since: dict([*whole(self, since).items()][:1]))

    done = filled.sync()

    assert (done.technique, done.reason) == ("full", "its change feed leads to 301 rows, the table has 302")
    assert filled.held() == filled.wanted()


def test_a_feed_that_is_gone_leads_to_a_build(filled: Yard) -> None:
    filled.merge([log(900), log(3, status="New")])
    for path in Path(filled.path, "_change_data").iterdir():
        path.unlink()

    done = filled.sync()

    assert done.technique == "full"
    assert done.reason.startswith("its change feed cannot be read: ")
    assert filled.held() == filled.wanted()


def test_a_crowd_at_one_point_of_the_order_leads_to_a_build(filled: Yard) -> None:
    between = NOON - timedelta(minutes=30, microseconds=1)
    filled.merge([log(1000 + number, at=between) for number in range(50)])
    assert filled.sync().technique == "changes"
    filled.merge([log(2000 + number, at=between - timedelta(seconds=1)) for number in range(100)])

    done = filled.sync()

    assert (done.technique, done.reason) == ("full", "no room for 100 rows at one point of the order")
    assert filled.held() == filled.wanted()
    sound(filled)


def test_changes_that_fail_halfway_are_taken_back(filled: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled.held()
    filled.merge([log(3, status="New"), log(900)], gone=["L-00004"])

    def full_disk(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(change, "_recount", full_disk)
        done = filled.sync()

    assert str(done.error).startswith(f"{NAME}: its cache cannot be written: database or disk is full; ")
    assert filled.held() == before
    sound(filled)
    assert filled.sync().technique == "changes"
    assert filled.held() == filled.wanted()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("INSERT INTO words (words, rowid, c0, c1, f) SELECT 'delete', * FROM indexed WHERE place = 64",
         "are not those of its rows"),
        ("UPDATE sqlite_schema SET sql = replace(sql, '\"at\"', '\"day\"') WHERE name = 'by_order'",
         "the cache is damaged"),
    ],
)  # fmt: skip
def test_a_build_that_is_not_whole_is_never_seen(
    filled: Yard, monkeypatch: pytest.MonkeyPatch, damage: str, message: str
) -> None:
    before = filled.held()
    filled.write([log(number) for number in range(2000)], mode="overwrite")

    def damaged(connection: sqlite3.Connection, made: cache.Definition) -> None:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute(damage)

    with monkeypatch.context() as patched:
        patched.setattr(build, "count_values", damaged)
        done = filled.sync()

    assert message in str(done.error)
    assert filled.held() == before
    assert filled.sync().technique == "full"
    assert filled.held() == filled.wanted()


def test_two_rows_of_one_key_are_refused_and_the_cache_goes_on_serving(filled: Yard) -> None:
    before = filled.held()
    filled.write([log(number % 2000) for number in range(2001)], mode="overwrite")

    done = filled.sync()

    assert done.error == f"{NAME}: two rows have the same log_id; wanted one a key"
    assert filled.held() == before
    entry = Log(filled.place.root).entries(NAME)[0]
    assert (entry.error, entry.rows_total) == (done.error, 300)
    assert [path.name for path in filled.place.root.iterdir() if path.name.startswith(f"{NAME}.2")] == []


def test_a_table_without_a_good_version_is_told_in_the_outcome_and_the_log(yard: Yard) -> None:
    yard.write([log(1)], good=False)

    done = yard.sync()

    assert done.error is not None
    assert done.error.startswith(f"{NAME}: no version has passed its gate yet; `medallion run yard`")
    assert Log(yard.place.root).entries(NAME)[0].error == done.error


def test_a_damaged_cache_is_built_anew(filled: Yard) -> None:
    filled.place.file(1).write_bytes(b"no database " * 1000)

    done = filled.sync()

    assert (done.technique, done.reason) == ("full", "there is no cache yet")
    assert filled.held() == filled.wanted()


def test_a_sync_while_another_is_at_work_is_refused_and_leaves_no_entry(filled: Yard) -> None:
    with lock.writing(filled.conf(), f"{NAME}.cache", "other"), pytest.raises(LockedError, match="run other"):
        filled.sync()

    assert len(Log(filled.place.root).entries(NAME)) == 1


def test_progress_is_told_while_a_build_lasts(yard: Yard) -> None:
    yard.write(log(number) for number in range(300))
    book, seen = Log(yard.place.root), []

    def say(table: str, phase: str, rows: int, total: int) -> None:
        working = book.working(NAME)
        seen.append((phase, rows, total))
        assert working and working[0].is_alive
        assert working[0].phase == phase

    yard.sync(say=say)

    assert ("reading", 300, 300) in seen
    assert [phase for phase, *_ in seen] == ["reading", "indexing keys", "indexing words", "indexing words", "checking"]
    assert book.working(NAME) == []


@pytest.mark.parametrize(
    ("put", "message"),
    [
        ("silver.none: {order_by: at}", "cache.tables.silver.none: no such table; wanted one of silver.logs"),
        (
            "silver.logs: {order_by: nil}",
            "cache.tables.silver.logs.order_by: no column nil; yard.silver.logs has log_id",
        ),
        ("silver.logs: {order_by: ratio}", "silver.logs.order_by: ratio is double, which a cache cannot sort by"),
        ("silver.logs: {order_by: at, searched: [crew]}", "silver.logs.searched: crew is int; wanted a column of text"),
        ("silver.logs: {order_by: at, filters: [tags]}", "filters: tags is array<string>, whose values cannot be told"),
        ("bronze.logs: {order_by: at}", "wanted <layer>.<table>, such as silver.orders, of silver or gold"),
        ("silver.logs: {searched: [title]}", "cache.tables.silver.logs.order_by: missing; wanted a column"),
        ("silver.logs: {order_by: at, filters: [crew, crew]}", "filters: a column is there twice; wanted each once"),
    ],
)
def test_conf_that_cannot_work_is_refused(yard: Yard, put: str, message: str) -> None:
    conf = yard.folder / "conf/pipelines/yard.yaml"
    conf.write_text(PIPELINE.partition("    silver.logs")[0] + f"    {put}\n")

    with pytest.raises(ConfError) as refused:
        yard.sync()

    assert message in str(refused.value)


@pytest.mark.parametrize("root", ["s3a://bucket/cache", "~/cache", "' '"])
def test_a_cache_elsewhere_than_in_a_folder_of_this_machine_is_refused(yard: Yard, root: str) -> None:
    with pytest.raises(ConfError, match=r"cache\.root: wanted a folder of this machine"):
        yard.conf(f"cache.root={root}")


def test_overrides_of_cache_reach_the_tier_they_are_of(yard: Yard) -> None:
    conf = yard.conf("cache.port=1234", "cache.tables.silver.logs.order_by=day")

    assert conf.platform.cache.port == 1234
    assert conf.pipeline.cache.tables["silver.logs"].order_by == "day"


def test_the_command_syncs_and_tells_in_json(filled: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    filled.merge([log(900)])

    code = cli.main(["sync", "yard", "--no-run", "--table", "silver.logs", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (told["tables"][0]["technique"], told["tables"][0]["changed"], told["passed"]) == ("changes", 1, True)
    assert cli.main(["sync", "yard", "--no-run", "--table", "silver.other"]) == 2


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(yard: Yard) -> None:
    dry = ("runtime.dry_run=true",)
    assert "no version has passed its gate yet" in str(yard.sync(*dry).error)
    yard.write(log(number) for number in range(30))
    assert yard.sync(*dry).reason == "there is no cache yet"
    assert not yard.place.root.exists()
    yard.sync()
    yard.merge([log(900)])

    assert (yard.sync(*dry).technique, yard.sync(*dry).reason) == ("changes", "version 0 to 1")

    assert yard.sync().technique == "changes"
    assert yard.sync(*dry).technique == "none"


def test_what_a_cached_table_waits_for_is_what_a_sync_runs(yard: Yard) -> None:
    assert sync.needed(run.prepare(yard.conf()), [NAME]) == ["yard.bronze.logs", NAME]


def test_an_older_good_version_than_the_cached_one_leads_to_a_build(filled: Yard) -> None:
    prepared = run.prepare(filled.conf())
    known = cache.cached(filled.place)
    assert known is not None
    source = cache_source.source_of(prepared.lake, prepared.tables[NAME], known.definition)

    reason = cache_source.why_full(prepared.lake, source, replace(known, version=9))

    assert reason == "the table went back from version 9 to 0"


def _dicts(yard: Yard) -> list[dict[str, object]]:
    with closing(cache.connect(yard.place.link, readonly=True)) as connection:
        names = list(cache.state(connection).definition.columns)
        rows = connection.execute(f"SELECT {', '.join(names)} FROM rows").fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]
