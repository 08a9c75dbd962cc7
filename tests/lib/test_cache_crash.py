"""Caches under readers and under kill -9: what is seen is whole, before, between and after."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from medallion import cache, lock
from medallion.cache.log import Log
from medallion.cache.search import Reader, Wanted
from tests.lib.cache_lab import NAME, Yard, log, sound

# Ends without a word in a phase, as kill -9 would end it.
KILLED = """
import os, signal, sys
from medallion import conf
from medallion.cache import sync as cache_sync
def say(table, phase, rows, total):
    if phase == sys.argv[1] and (sys.argv[2] == "start") == (rows < total):
        os.kill(os.getpid(), signal.SIGKILL)
cache_sync.sync(conf.load("yard"), first_run=False, say=say)
"""
WAITING = """
import sys, time
from medallion import conf
from medallion.cache import sync as cache_sync
def say(table, phase, rows, total):
    if phase == "indexing keys":
        print("indexing", flush=True)
        time.sleep(60)
cache_sync.sync(conf.load("yard"), first_run=False, say=say)
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _killed_in(yard: Yard, phase: str, when: str) -> None:
    command = [sys.executable, "-c", KILLED, phase, when]
    done = subprocess.run(command, env=_environment(), cwd=yard.folder, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "when"),
    [("reading", "end"), ("indexing words", "start"), ("indexing words", "end"), ("checking", "end")],
)
def test_killed_in_a_full_build_readers_keep_what_they_had_and_the_next_sync_goes_on(
    yard: Yard, phase: str, when: str
) -> None:
    yard.write(log(number) for number in range(1200))
    yard.sync()
    before = yard.held()
    yard.write((log(number, status="New") for number in range(1300)), mode="overwrite")

    _killed_in(yard, phase, when)

    assert yard.held() == before
    done = yard.sync()
    assert (done.technique, done.rows) == ("full", 1300)
    assert yard.held() == yard.wanted()
    sound(yard)
    files = sorted(path.name for path in yard.place.root.glob(f"{NAME}.*"))
    assert [name for name in files if "sqlite-" not in name] == [
        f"{NAME}.1.sqlite",
        f"{NAME}.2.sqlite",
        f"{NAME}.sqlite",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "when"), [("changing", "start"), ("changing", "end")])
def test_killed_in_the_middle_of_changes_readers_keep_what_they_had(filled: Yard, phase: str, when: str) -> None:
    before = filled.held()
    filled.merge([*(log(number, status="New") for number in range(250)), log(900)], gone=["L-00299"])

    _killed_in(filled, phase, when)

    assert filled.held() == before
    sound(filled)
    assert filled.sync().technique == "changes"
    assert filled.held() == filled.wanted()
    sound(filled)


@pytest.mark.slow
def test_a_killed_sync_has_an_entry_in_the_log_once_the_next_one_starts(filled: Yard) -> None:
    filled.merge([log(900)])
    _killed_in(filled, "changing", "end")
    assert not Log(filled.place.root).working(NAME)[0].is_alive

    filled.sync()

    book = Log(filled.place.root)
    newest, killed, _ = book.entries(NAME)
    assert newest.error is None
    assert killed.error is not None
    assert killed.error.endswith("ended in the middle of it (changing), as if it was killed")
    assert book.working(NAME) == []


@pytest.mark.slow
def test_two_syncs_at_once_take_turns_where_conf_says_to_wait(yard: Yard) -> None:
    yard.write(log(number) for number in range(300))
    command = [sys.executable, "-c", WAITING]
    with subprocess.Popen(command, env=_environment(), cwd=yard.folder, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "indexing\n"
            with pytest.raises(lock.LockedError, match="another process writes it"):
                yard.sync()
            ended: list[str] = []
            second = threading.Thread(target=lambda: ended.append(yard.sync("runtime.on_locked=wait").technique))
            second.start()
            time.sleep(1)
            assert ended == []
        finally:
            other.kill()
        second.join(30)

    assert ended == ["full"]
    assert yard.held() == yard.wanted()


def _read_until(stop: threading.Event, yard: Yard, seen: list[tuple[int, set[str]]], problems: list[str]) -> None:
    reader = Reader(yard.place)
    while not stop.is_set():
        try:
            found = reader.search(Wanted("slab"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells
            problems.append(repr(error))
            return
        status = found.cached.definition.columns and list(found.cached.definition.columns).index("status")
        seen.append((found.cached.version, {str(row[status]) for row in found.rows}))


@pytest.mark.parametrize("rows", [300, 1500])
def test_readers_see_one_version_whole_while_builds_and_changes_go_on(yard: Yard, rows: int) -> None:
    """With 300 rows every version comes as changes, with 1,500 as a build."""
    every: Callable[[int], list[dict[str, object]]] = lambda version: [  # noqa: E731
        log(number * 7 + 1, status=f"v{version}") for number in range(rows)
    ]
    yard.write(every(0))
    yard.sync()
    stop, seen, problems = threading.Event(), list[tuple[int, set[str]]](), list[str]()
    threads = [threading.Thread(target=_read_until, args=(stop, yard, seen, problems)) for _ in range(4)]
    for thread in threads:
        thread.start()
    techniques = []
    for version in range(1, 6):
        yard.merge(every(version))
        techniques.append(yard.sync().technique)
    stop.set()
    for thread in threads:
        thread.join(30)

    assert techniques == ["changes" if rows == 300 else "full"] * 5
    assert problems == []
    assert {version for version, _ in seen} >= {0, 1, 2, 3, 4}
    assert [one for one in seen if one[1] != {f"v{one[0]}"}] == []
    assert Reader(yard.place).cached().version == 5


def test_a_reader_whose_build_was_swept_away_goes_on_with_the_new_one(yard: Yard) -> None:
    yard.write(log(number) for number in range(1200))
    yard.sync()
    reader = Reader(yard.place)
    assert reader.cached().version == 0
    for version in (1, 2):
        yard.merge(log(number, status=f"v{version}") for number in range(1200))
        assert yard.sync().technique == "full"
    assert cache.place_of(yard.conf(), NAME).current() == 3
    assert not yard.place.file(1).exists()

    assert reader.cached().version == 2
