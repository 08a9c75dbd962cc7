"""The inbox: durable before it is acknowledged, published once, and a key is known long after."""

import asyncio
import queue
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from medallion.conf import Conf
from medallion.errors import LandingError, SetupError
from medallion.landing import Landing
from medallion.receiver import inbox as inbox_module
from medallion.receiver.inbox import DELIVERED_AS, FILE, Answer, Inbox, Payload, gather
from medallion.receiver.inbox_writer import BATCHES_WAITING, Writer
from medallion.records import records

TILL = """
description: A till
sources:
  sales: {format: json, delivers: events, system: till, intake: {kind: webhook}}
"""
AT = "2026-01-30T06:00:00.000000+00:00"


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDALLION_NOW", AT)


@pytest.fixture
def conf(project: Callable[..., Conf]) -> Conf:
    return project("till", {}, TILL)


@pytest.fixture
def landing(conf: Conf) -> Landing:
    return Landing(conf, "sales")


@pytest.fixture
def inbox(landing: Landing) -> Iterator[Inbox]:
    opened = Inbox(landing.folder)
    yield opened
    opened.close()


def payload(key: str, body: bytes = b"{}", at: str = AT) -> Payload:
    return Payload(key, at, body)


def landed(landing: Landing, conf: Conf) -> list[tuple[str | None, bytes]]:
    """Return what bronze reads of all deliveries: keys and payloads."""
    return [
        (record.event_key, record.payload.encode())
        for manifest in landing.after(0)
        for file, content in landing.contents(manifest)
        for record in records(content, file.name, conf.source("sales"))
    ]


def bytes_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob(f"{FILE}*"))


def test_a_payload_is_stored_once_and_its_key_belongs_to_its_bytes(inbox: Inbox) -> None:
    batch = [payload("a", b"1"), payload("b", b"2"), payload("a", b"1"), payload("a", b"other")]

    assert inbox.store(batch) == [Answer.STORED, Answer.STORED, Answer.KNOWN, Answer.REUSED]
    assert inbox.store([payload("b", b"2"), payload("b", b"")]) == [Answer.KNOWN, Answer.REUSED]
    assert inbox.waiting() == 2


def test_what_is_stored_is_synced_at_each_commit(inbox: Inbox) -> None:
    assert inbox._db.execute("pragma synchronous").fetchone() == (2,)
    assert inbox._db.execute("pragma journal_mode").fetchone() == ("wal",)


def test_a_batch_is_stored_as_a_whole_or_not_at_all(inbox: Inbox) -> None:
    inbox.store([payload("a")])
    (pages,) = inbox._db.execute("pragma page_count").fetchone()
    inbox._db.execute(f"pragma max_page_count = {pages + 2}")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        inbox.store([payload("b"), payload("c", b"x" * 100_000)])

    inbox._db.execute("pragma max_page_count = 1000000")
    assert inbox.store([payload("b"), payload("a")]) == [Answer.STORED, Answer.KNOWN]


def test_a_batch_that_breaks_off_leaves_nothing_behind(inbox: Inbox) -> None:
    with pytest.raises(sqlite3.Error):
        inbox.store([payload("a"), Payload(object(), AT, b"")])  # type: ignore[arg-type]

    assert inbox.waiting() == 0
    assert inbox.store([payload("a")]) == [Answer.STORED]


def test_an_inbox_that_was_replaced_takes_nothing(inbox: Inbox) -> None:
    inbox.path.unlink()
    with pytest.raises(OSError):
        inbox.store([payload("a")])

    Inbox(inbox.path.parent).close()
    with pytest.raises(OSError, match="replaced"):
        inbox.store([payload("a")])


ODD = {
    "object": b'{"a": 1}',
    "empty": b"",
    "not-utf-8": b'{"a": "\xff\xfe"}',
    "bom": b"\xef\xbb\xbf{}",
    "nul": b'{"a": "\x00"}',
    "lines": b'{\r\n"a":\n1\r}\n',
    "separators": '{"a": "\u2028\u2029\u0085"}'.encode(),
    "escaped-surrogate": rb'{"a": "\ud800"}',
    "envelope": b'{"id": "x", "body": "y"}\n',
}


def test_bronze_reads_each_payload_as_it_was_posted(inbox: Inbox, landing: Landing, conf: Conf) -> None:
    inbox.store([payload(key, body) for key, body in ODD.items()])

    (manifest,) = gather(landing)

    assert [file.name for file in manifest.files] == [DELIVERED_AS]
    shown = {**ODD, "not-utf-8": rb'{"a": "\xff\xfe"}'}  # as bronze shows bytes that are no text
    assert landed(landing, conf) == list(shown.items())


def test_what_is_landed_is_published_once_and_its_key_stays_known(inbox: Inbox, landing: Landing) -> None:
    inbox.store([payload("a", b"1")])

    assert [manifest.number for manifest in gather(landing)] == [1]
    assert gather(landing) == []
    assert inbox.store([payload("a", b"1"), payload("a", b"2"), payload("b")]) == [
        Answer.KNOWN,
        Answer.REUSED,
        Answer.STORED,
    ]
    assert [manifest.number for manifest in gather(landing)] == [2]


def test_nothing_is_gathered_where_nothing_was_posted(landing: Landing) -> None:
    assert gather(landing) == []
    assert not landing.folder.exists()


def test_deliveries_are_split_by_size_and_hold_each_payload_once(inbox: Inbox, landing: Landing, conf: Conf) -> None:
    posted = [(f"k{number}", b"x" * 400) for number in range(10)] + [("large", b"y" * 5000), ("last", b"{}")]
    inbox.store([payload(*one) for one in posted])

    manifests = gather(landing, most_bytes=2000)

    assert [manifest.bytes <= 2000 for manifest in manifests] == [True, True, True, False, True]
    assert landed(landing, conf) == posted


def test_payloads_are_delivered_in_the_order_of_their_arrival(inbox: Inbox, landing: Landing, conf: Conf) -> None:
    inbox.store([payload("second", at="2026-01-30T06:00:01+00:00"), payload("first", at=AT)])

    gather(landing)

    assert [key for key, _ in landed(landing, conf)] == ["first", "second"]


def test_killed_between_publication_and_note_it_publishes_the_same_again(
    inbox: Inbox, landing: Landing, conf: Conf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    inbox.store([payload("a", b"1"), payload("b", b"2")])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Inbox, "mark_landed", killed)
        gather(landing)

    gather(landing)

    assert landed(landing, conf) == [("a", b"1"), ("b", b"2")] * 2
    assert gather(landing) == []


def test_nothing_is_let_go_of_that_could_not_be_published(
    inbox: Inbox, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    inbox.store([payload("a", b"1")])
    with monkeypatch.context() as patch, pytest.raises(LandingError, match="No space left on device; wanted"):
        patch.setattr(Landing, "deliver", full)
        gather(landing)

    assert inbox.waiting() == 1


def test_a_payload_that_arrives_meanwhile_waits_for_the_next_time(
    inbox: Inbox, landing: Landing, conf: Conf, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = Landing.deliver

    def deliver_slowly(self: Landing, *given: Any) -> Any:
        inbox.store([payload(f"late {landing.newest()}")])
        return deliver(self, *given)

    inbox.store([payload("a")])
    with monkeypatch.context() as patch:
        patch.setattr(Landing, "deliver", deliver_slowly)
        assert len(gather(landing)) == 1

    gather(landing)
    assert [key for key, _ in landed(landing, conf)] == ["a", "late 0"]


def test_keys_are_forgotten_after_a_month(inbox: Inbox, landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox.store([payload("a", b"1")])
    gather(landing)

    monkeypatch.setenv("MEDALLION_NOW", "2026-03-01T05:59:59+00:00")  # not quite 30 days
    gather(landing)
    assert inbox.store([payload("a", b"2")]) == [Answer.REUSED]

    monkeypatch.setenv("MEDALLION_NOW", "2026-03-01T06:00:01+00:00")
    gather(landing)
    assert inbox.store([payload("a", b"2")]) == [Answer.STORED]


def test_no_payload_is_forgotten_that_is_not_landed(inbox: Inbox) -> None:
    inbox.store([payload(str(number)) for number in range(3)])

    inbox.forget("9999-12-31T00:00:00+00:00")

    assert inbox.waiting() == 3


def test_bytes_that_are_landed_are_no_longer_in_the_inbox(inbox: Inbox, landing: Landing) -> None:
    secrets = [b"small-secret", b"large-secret" * 5000]
    inbox.store([payload("a", secrets[0]), payload("b", secrets[1])])
    assert b"large-secret" in bytes_on_disk(landing.folder) and secrets[0] in bytes_on_disk(landing.folder)

    gather(landing)

    assert b"secret" not in bytes_on_disk(landing.folder)


def test_what_is_no_inbox_is_told_and_kept(landing: Landing) -> None:
    landing.folder.mkdir(parents=True)
    (landing.folder / FILE).write_bytes(b"something else entirely" * 100)

    with pytest.raises(
        LandingError, match=r"inbox\.sqlite: cannot be published: file is not a database; wanted the receiver's"
    ):
        gather(landing)
    with pytest.raises(SetupError, match=r"inbox\.sqlite: file is not a database; wanted a folder"):
        Writer("till.sales", landing.folder, 10, print)

    assert (landing.folder / FILE).read_bytes().startswith(b"something else")


def test_gathering_while_posts_are_stored_loses_and_doubles_nothing(inbox: Inbox, landing: Landing, conf: Conf) -> None:
    keys = [f"k{number}" for number in range(400)]
    ended = threading.Event()

    def store() -> None:
        for start in range(0, len(keys), 4):
            inbox.store([payload(key) for key in keys[start : start + 4]])
        ended.set()

    thread = threading.Thread(target=store)
    thread.start()
    while not ended.is_set():
        gather(landing)
    thread.join()
    gather(landing)

    assert sorted(key or "" for key, _ in landed(landing, conf)) == sorted(keys)


class Watched:
    """A writer whose transactions are counted, and held back until they may go on."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, max_batch: int = 1000) -> None:
        self.batches: list[int] = []
        self.may_go_on = threading.Event()
        self.said: list[str] = []
        store = Inbox.store

        def counted(opened: Inbox, payloads: list[Payload]) -> list[Answer]:
            self.may_go_on.wait(10)
            self.batches.append(len(payloads))
            return store(opened, payloads)

        monkeypatch.setattr(inbox_module.Inbox, "store", counted)
        self.writer = Writer("till.sales", folder, max_batch, self.said.append)


def test_what_has_queued_is_stored_in_one_transaction(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(landing.folder, monkeypatch, max_batch=60)

    async def post() -> list[Answer | None]:
        watched.writer.start()
        first = watched.writer.put(payload("first"))
        await asyncio.sleep(0.1)
        others = [watched.writer.put(payload(f"k{number}")) for number in range(100)]
        watched.may_go_on.set()
        answers = [await one for one in [first, *others]]
        watched.writer.stop()
        return answers

    assert asyncio.run(post()) == [Answer.STORED] * 101
    assert watched.batches == [1, 60, 40]


def test_a_queue_has_an_end_and_stopping_empties_it(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(landing.folder, monkeypatch, max_batch=1)

    async def post() -> list[Answer | None]:
        watched.writer.start()
        waiting = [watched.writer.put(payload("taken by the thread"))]
        await asyncio.sleep(0.1)
        waiting += [watched.writer.put(payload(f"k{number}")) for number in range(BATCHES_WAITING)]
        with pytest.raises(queue.Full):
            watched.writer.put(payload("one too many"))
        watched.may_go_on.set()
        await asyncio.to_thread(watched.writer.stop)
        with closing(Inbox(landing.folder)) as inbox:
            assert inbox.waiting() == 1 + BATCHES_WAITING
        return [await one for one in waiting]

    assert asyncio.run(post()) == [Answer.STORED] * (1 + BATCHES_WAITING)


def test_a_disk_that_fails_acknowledges_nothing_and_recovers_by_itself(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medallion.receiver.inbox_writer._RETRY_SECONDS", 0.05)
    said: list[str] = []
    writer = Writer("till.sales", landing.folder, 10, said.append)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def post() -> None:
        writer.start()
        assert await writer.put(payload("before")) is Answer.STORED
        assert writer.is_ready
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # what a file may have in this process
        try:
            assert await writer.put(payload("large", b"x" * 400_000)) is None
            assert not writer.is_ready
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        for _ in range(100):
            if writer.is_ready:
                break
            await asyncio.sleep(0.05)
        assert writer.is_ready
        assert await writer.put(payload("large", b"x" * 400_000)) is Answer.STORED
        assert await writer.put(payload("before")) is Answer.KNOWN
        writer.stop()

    asyncio.run(post())
    assert len(said) == 2
    assert said[0].startswith("till.sales: cannot store payloads (") and "answered 503" in said[0]
    assert said[1] == "till.sales: stores payloads again"


def test_after_a_failure_what_may_not_be_synced_is_written_again_before_anything_is_acknowledged(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that failed once may succeed the next time without having written anything."""
    calls: list[str] = []
    store, settle = Inbox.store, Inbox.settle

    def failing_once(opened: Inbox, payloads: list[Payload]) -> list[Answer]:
        calls.append("store")
        if len(calls) == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return store(opened, payloads)

    def settling(opened: Inbox) -> None:
        calls.append("settle")
        settle(opened)

    monkeypatch.setattr(Inbox, "store", failing_once)
    monkeypatch.setattr(Inbox, "settle", settling)
    writer = Writer("till.sales", landing.folder, 10, lambda _: None)

    async def post() -> list[Answer | None]:
        writer.start()
        answers = [await writer.put(payload("a")) for _ in range(3)]
        writer.stop()
        return answers

    assert asyncio.run(post()) == [None, Answer.STORED, Answer.KNOWN]
    assert calls == ["store", "settle", "store", "store"]


def test_a_writer_whose_inbox_was_removed_makes_a_new_one(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medallion.receiver.inbox_writer._RETRY_SECONDS", 0.05)
    writer = Writer("till.sales", landing.folder, 10, lambda _: None)

    async def post() -> list[Answer | None]:
        writer.start()
        for path in landing.folder.glob(f"{FILE}*"):
            path.unlink()
        answers = [await writer.put(payload("a")), await writer.put(payload("a"))]
        writer.stop()
        return answers

    assert asyncio.run(post()) == [None, Answer.STORED]
    assert len(gather(landing)) == 1
