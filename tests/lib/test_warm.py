"""Whether a warm server suits a conf, and what is said where it does not; no server is started."""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medallion import conf as conf_door
from medallion.conf import Conf
from medallion.errors import ConfError
from medallion.warm import server as warm
from medallion.warm.files import ABOUT, LOCK, TOKEN, USED

PROJECT = Path(__file__).resolve().parents[2]
SETTINGS = {"spark.driver.memory": "2g", "spark.sql.shuffle.partitions": "4", "spark.hadoop.key": "very-secret"}
SECRET = "token"


@pytest.fixture
def conf(tmp_path: Path) -> Conf:
    return conf_door.load("shop", [f"storage.ops.root={tmp_path}"], PROJECT)


@pytest.fixture
def announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Return a function that announces a server that answers and is kept, by this very process."""
    monkeypatch.setattr(warm, "answers", lambda *_: True)
    folder = tmp_path / warm.FOLDER
    folder.mkdir()
    lock = (folder / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)

    def announce(**facts: Any) -> Path:
        about = {
            "id": "1",
            "host": "127.0.0.1",
            "port": 1,
            "pid": 123,
            "keeper": 122,
            "environment": "dev",
            "started": time.monotonic() - 720,
            "started_at": "2026-01-31T06:00:00+00:00",
            "versions": warm.versions(),
            "settings": warm.digests(SETTINGS, SECRET),
            **facts,
        }
        (folder / ABOUT).write_text(json.dumps(about))
        (folder / TOKEN).write_text(SECRET)
        return folder

    yield announce
    lock.close()


def test_there_is_none_where_none_was_started(conf: Conf) -> None:
    assert warm.usable(conf, SETTINGS) == (None, None)


def test_one_of_the_same_versions_and_settings_is_used(conf: Conf, announced: Callable[..., Path]) -> None:
    announced()

    server, why = warm.usable(conf, SETTINGS)

    assert (server and server.name, server and server.up_for, why) == ("warm server (pid 123)", "12 min", None)


@pytest.mark.parametrize(
    ("settings", "differing"),
    [
        ({"spark.driver.memory": "4g"}, "other values of spark.driver.memory"),
        ({"spark.sql.extensions": "another"}, "other values of spark.sql.extensions"),
        ({"spark.master": "local[4]"}, "other values of spark.master"),
        ({"spark.sql.shuffle.partitions": "8"}, None),  # every session has its own
        ({"spark.databricks.delta.snapshotPartitions": "1"}, None),
    ],
)
def test_one_of_other_settings_is_not_used_unless_a_session_can_have_its_own(
    conf: Conf, announced: Callable[..., Path], settings: dict[str, str], differing: str | None
) -> None:
    announced()

    server, why = warm.usable(conf, {**SETTINGS, **settings})

    assert (server is None) == (differing is not None)
    if differing:
        expected = f"the warm server (pid 123) has {differing}; `medallion down`, then `medallion up`"
        assert str(why).startswith(expected)


def test_one_with_a_setting_that_conf_does_not_have_is_not_used(conf: Conf, announced: Callable[..., Path]) -> None:
    announced()
    fewer = {key: value for key, value in SETTINGS.items() if key != "spark.sql.shuffle.partitions"}

    assert "other values of spark.sql.shuffle.partitions" in str(warm.usable(conf, fewer)[1])


@pytest.mark.parametrize("name", ["pyspark", "delta-spark", "Python"])
def test_one_of_another_version_is_not_used(conf: Conf, announced: Callable[..., Path], name: str) -> None:
    announced(versions={**warm.versions(), name: "1.2.3"})

    server, why = warm.usable(conf, SETTINGS)

    assert server is None
    assert f"has {name} 1.2.3 (wanted {warm.versions()[name]})" in str(why)


def test_a_setting_cannot_be_read_from_what_is_announced(announced: Callable[..., Path]) -> None:
    folder = announced()

    assert "very-secret" not in (folder / ABOUT).read_text()
    assert warm.digests(SETTINGS, "another token") != warm.digests(SETTINGS, SECRET)


def test_one_that_died_is_told_of_with_the_cause(conf: Conf, announced: Callable[..., Path]) -> None:
    announced(ended="killed by signal 9")

    told = warm.usable(conf, SETTINGS)

    assert told == (None, "the warm server (pid 123) died (killed by signal 9); `medallion up` starts another")


def test_one_whose_keeper_was_killed_is_told_of_once_and_removed(
    conf: Conf, announced: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = announced()
    monkeypatch.setattr(warm, "is_held", lambda _: False)
    (folder / LOCK).unlink()  # nobody holds the one that is made anew
    (folder / USED).write_text("1.0")

    first, second = warm.usable(conf, SETTINGS), warm.usable(conf, SETTINGS)

    assert first == (None, "the warm server (pid 123) died (its keeper was killed); `medallion up` starts another")
    assert second == (None, None)
    assert sorted(path.name for path in folder.iterdir()) == [LOCK]


def test_what_a_dead_one_left_stays_while_another_is_being_started(conf: Conf, announced: Callable[..., Path]) -> None:
    folder = announced(ended="killed by signal 9")  # the lock is held: by the one that is being started

    warm.usable(conf, SETTINGS)

    assert (folder / ABOUT).exists()


def test_one_that_does_not_answer_is_not_used(
    conf: Conf, announced: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    announced()
    monkeypatch.setattr(warm, "answers", lambda *_: False)

    told = warm.usable(conf, SETTINGS)

    assert told == (None, "the warm server (pid 123) does not answer; `medallion down` ends it")


def test_one_of_another_user_is_not_used(
    conf: Conf, announced: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = announced()
    read_text = Path.read_text

    def refused(path: Path) -> str:
        if path.name == TOKEN:
            raise PermissionError(13, "Permission denied")
        return read_text(path)

    monkeypatch.setattr(Path, "read_text", refused)

    told = warm.usable(conf, SETTINGS)

    assert told == (None, f"{folder / TOKEN}: belongs to another user, who started the server")


def test_an_announcement_that_is_not_of_this_program_is_none(conf: Conf, announced: Callable[..., Path]) -> None:
    folder = announced(something="new")
    assert warm.usable(conf, SETTINGS) == (None, None)

    (folder / ABOUT).write_text("{")
    assert warm.usable(conf, SETTINGS) == (None, None)


def test_a_lake_on_shared_storage_has_none() -> None:
    shared = conf_door.load("shop", ["storage.ops.root=s3a://bucket/ops"], PROJECT)

    assert warm.place(shared) is None
    assert warm.usable(shared, SETTINGS) == (None, None)


def test_a_token_in_a_servers_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfError, match="found a token in it") as refused:
        conf_door.load("shop", ["spark.remote=sc://host:1/;token=hush"], PROJECT)

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (12000, "3 h 20 min")])
def test_a_length_of_time_is_told_in_words(seconds: float, words: str) -> None:
    assert warm.lasting(seconds) == words
