"""The receiver: who may post, what is taken, what it answers, and where each bad input ends."""

import asyncio
import json
import queue
import sqlite3
import threading
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from medallion.conf import Conf
from medallion.conf.secret import SecretRef
from medallion.errors import ConfError, DeclarationError, LockedError, SetupError
from medallion.landing import Landing
from medallion.receiver import app, checks, request, webhook
from medallion.receiver import counts as receiver_counts
from medallion.receiver.app import app_of, lines
from medallion.receiver.inbox import Inbox, gather
from medallion.receiver.inbox_writer import Writer
from medallion.records import records
from medallion.records.identity import NO_OBJECT, json_object
from tests import figures

NOW = datetime(2026, 1, 30, 6, tzinfo=UTC)
AT = str(int(NOW.timestamp()))
KEYS = [b"new" * 10, b"old" * 10]
TILL = """
description: A till
sources:
  sales: {format: json, delivers: events, system: till, max_bytes: 200000, intake: {kind: webhook}}
  notes: {format: json, delivers: events, system: till, intake: {kind: webhook, max_depth: 3}}
  byhand: {format: json, delivers: events, system: till}
"""
CONTRACT = """
from typing import Literal
from pydantic import BaseModel, Field, field_validator

class Line(BaseModel, extra="forbid"):
    sku: str
    quantity: int = Field(gt=0)

class Sale(BaseModel):
    id: str
    kind: Literal["sale", "refund"]
    lines: list[Line]
    by_name: dict[str, int] = {}

    @field_validator("id")
    @classmethod
    def _known(cls, text):
        if text == "bug":
            raise RuntimeError(text)
        if text == "secret":
            raise ValueError(f"found {text}")
        return text

RECORDS = {"sales": Sale}
"""

Make = Callable[..., Conf]


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDALLION_NOW", NOW.isoformat())


@pytest.fixture
def make(project: Make, tmp_path: Path) -> Make:
    """Return a factory of conf in which ``sales`` has keys and ``notes`` none; overrides and a contract may follow."""
    for number, key in enumerate(KEYS):
        (tmp_path / f"key{number}").write_text(f"whsec_{b64encode(key).decode()}\n")
    keys = f"connections.till.sales.keys=[file:{tmp_path / 'key0'}, file:{tmp_path / 'key1'}]"

    def made(*overrides: str, contract: str | None = None, conf: str = TILL) -> Conf:
        modules = {"contract.py": contract} if contract is not None else {}
        return project("till", modules, conf, [keys, *overrides])

    return made


@dataclass
class Till:
    """A receiver of a small pipeline, without a socket."""

    conf: Conf
    client: TestClient
    said: list[str]

    def post(
        self, body: bytes = b"{}", path: str = "/v1/till/sales", method: str = "POST", **changes: Any
    ) -> httpx.Response:
        """Send a signed post, changed as `headers` has it."""
        return self.client.request(method, path, content=body, headers=headers(body, **changes))

    def plain(self, body: bytes = b"{}", id: str = "id-1", **more: str) -> httpx.Response:
        """Send an unsigned post to the source that takes such."""
        given = {"content-type": "application/json", "webhook-id": id, **more}
        return self.client.post("/v1/till/notes", content=body, headers=given)

    def bronze(self, source: str = "sales") -> list[tuple[str | None, str, str | None]]:
        """Return what bronze makes of all that was taken: id, payload and problem."""
        landing = Landing(self.conf, source)
        gather(landing)
        return [
            (
                record.event_key,
                record.payload,
                record.problem or _no_object(record.payload),
            )
            for manifest in landing.after(0)
            for file, content in landing.contents(manifest)
            for record in records(content, file.name, self.conf.source(source))
        ]


def _no_object(payload: str) -> str | None:
    return NO_OBJECT if json_object(payload.encode()) is None else None


@contextmanager
def opened(conf: Conf) -> Iterator[Till]:
    said: list[str] = []
    with TestClient(app_of([conf], said.append), base_url="http://127.0.0.1") as client:
        yield Till(conf, client, said)


@pytest.fixture
def till(make: Make) -> Iterator[Till]:
    with opened(make()) as found:
        yield found


def headers(
    body: bytes, id: str = "id-1", at: int = 0, key: bytes = KEYS[0], **changes: str | bytes | None
) -> list[tuple[str, str | bytes]]:
    """Return the headers of a signed post, ``at`` so many seconds from now; a change of None leaves one out."""
    timestamp = str(int(NOW.timestamp()) + at)
    given: dict[str, str | bytes | None] = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": webhook.signature(key, id, timestamp, body),
    }
    given.update({name.replace("_", "-"): value for name, value in changes.items()})
    return [(name, value) for name, value in given.items() if value is not None]


def test_a_signed_post_is_stored_and_known_when_it_comes_again(till: Till) -> None:
    first, again = till.post(b'{"a": 1}'), till.post(b'{"a": 1}', at=60)

    assert (first.status_code, first.json()) == (202, {"status": "stored"})
    assert (again.status_code, again.json()) == (200, {"status": "known"})
    assert till.bronze() == [("id-1", '{"a": 1}', None)]


KEPT = {
    "truncated": (b'{"a": ', "not a JSON object"),
    "not-utf-8": (b'{"a": "\xff"}', "not utf-8"),
    "utf-16": ('{"a": 1}'.encode("utf-16"), "not utf-8"),
    "bom": (b'\xef\xbb\xbf{"a": 1}', "not a JSON object"),
    "nul": (b'{"a": "\x00"}', "not a JSON object"),
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "null": (b"null", "not a JSON object"),
    "array": (b"[{}]", "not a JSON object"),
    "string": (b'"text"', "not a JSON object"),
    "number": (b"1769752800.5", "not a JSON object"),
    "nan": (b'{"a": NaN}', "not a JSON object"),
    "key-twice": (b'{"a": 1, "a": 2}', "not a JSON object"),
    "two-documents": (b"{}{}", "not a JSON object"),
    "closed-too-often": (b"{}]]]]", "not a JSON object"),
    "brackets-in-text": (b'{"a": "' + b"[{" * 5000 + b'"}', None),
    "escaped-quote": (b'{"a": "\\"' + b"[" * 5000 + b'"}', None),
    "as-deep-as-allowed": (b'{"a": ' + b"[" * 31 + b"]" * 31 + b"}", None),
    "long-number": (b'{"a": ' + b"9" * 4000 + b"}", None),
}


@pytest.mark.parametrize(("body", "problem"), KEPT.values(), ids=KEPT)
def test_what_is_no_sound_payload_is_stored_and_told(till: Till, body: bytes, problem: str | None) -> None:
    response = till.post(body)

    told = {"problems": [problem]} if problem else {}
    figures.note("bad inputs", tried=1, unaccounted=int(len(till.bronze()) != 1))
    assert (response.status_code, response.json()) == (202, {"status": "stored", **told})
    (row,) = till.bronze()
    assert (row[0], row[2]) == ("id-1", problem)


BAD: dict[str, tuple[int, dict[str, Any]]] = {
    "deep": (413, {"body": b"[" * 10_000 + b"]" * 10_000}),
    "deep-and-broken": (413, {"body": b'{"a": "' + b'x"' + b"[{" * 20}),
    "too-large": (413, {"body": b"x" * 200_001}),
    "ten-megabytes": (413, {"body": b"x" * 10_000_000}),
    "no-type": (415, {"content_type": None}),
    "text": (415, {"content_type": "text/plain"}),
    "form": (415, {"content_type": "application/x-www-form-urlencoded"}),
    "json-in-name-only": (415, {"content_type": "application/jsonlines"}),
    "latin-1": (415, {"content_type": "application/json; charset=latin-1"}),
    "packed": (415, {"content_encoding": "gzip"}),
    "no-id": (400, {"webhook_id": None}),
    "empty-id": (400, {"webhook_id": ""}),
    "id-with-blank": (400, {"webhook_id": "a b"}),
    "id-with-full-stop": (400, {"webhook_id": "a.1769752800"}),
    "id-not-ascii": (400, {"webhook_id": "\u00fc".encode()}),
    "long-id": (400, {"webhook_id": "x" * 201}),
    "no-timestamp": (400, {"webhook_timestamp": None}),
    "timestamp-no-number": (401, {"webhook_timestamp": "now"}),
    "timestamp-with-fraction": (401, {"webhook_timestamp": f"{int(NOW.timestamp())}.5"}),
    "old": (401, {"at": -301}),
    "future": (401, {"at": 301}),
    "no-signature": (401, {"webhook_signature": None}),
    "empty-signature": (401, {"webhook_signature": ""}),
    "other-key": (401, {"key": b"unknown" * 5}),
    "other-version": (401, {"webhook_signature": webhook.signature(KEYS[0], "id-1", AT, b"{}").replace("v1", "v1a")}),
    "other-body": (401, {"webhook_signature": webhook.signature(KEYS[0], "id-1", AT, b'{"a": 1}')}),
    "other-id": (401, {"webhook_id": "id-2", "webhook_signature": webhook.signature(KEYS[0], "id-1", AT, b"{}")}),
    "signature-not-ascii": (401, {"webhook_signature": b"v1,\xff\xfe"}),
    "eleventh-signature": (
        401,
        {"webhook_signature": "v1,x " * 10 + webhook.signature(KEYS[0], "id-1", AT, b"{}")},
    ),
    "unknown-source": (404, {"path": "/v1/till/refunds"}),
    "unknown-pipeline": (404, {"path": "/v1/shop/sales"}),
    "source-by-hand": (404, {"path": "/v1/till/byhand"}),
    "traversal": (404, {"path": "/v1/till/..%2f..%2fsales"}),
    "slash-at-end": (404, {"path": "/v1/till/sales/"}),
    "elsewhere": (404, {"path": "/"}),
    "get": (405, {"method": "GET"}),
    "put": (405, {"method": "PUT"}),
    "post-to-health": (405, {"path": "/health"}),
}


@pytest.mark.parametrize(("status", "changes"), BAD.values(), ids=BAD)
def test_what_cannot_be_taken_is_refused_and_stored_nowhere(till: Till, status: int, changes: dict[str, Any]) -> None:
    response = till.post(**changes)

    figures.note("bad inputs", tried=1, unaccounted=len(till.bronze()) + int(response.status_code != status))
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert till.bronze() == []


def test_a_401_does_not_tell_which_part_was_wrong(till: Till) -> None:
    wrong = [changes for status, changes in BAD.values() if status == 401]

    answers = [till.post(**changes) for changes in wrong]
    assert len({(answer.text, str(answer.headers)) for answer in answers}) == 1


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type"])
def test_a_header_that_comes_twice_is_refused(till: Till, name: str) -> None:
    given = headers(b"{}")
    twice = [*given, *(one for one in given if one[0] == name)]

    response = till.client.post("/v1/till/sales", content=b"{}", headers=twice)

    assert (response.status_code, response.json()) == (400, {"error": f"{name}: found 2 times; wanted once"})
    assert till.bronze() == []


def test_an_id_that_comes_with_another_body_is_refused(till: Till) -> None:
    assert till.post(b"1").status_code == 202
    assert till.post(b"2").status_code == 409
    assert [payload for _, payload, _ in till.bronze()] == ["1"]
    assert till.post(b"2").status_code == 409  # landed meanwhile
    assert till.post(b"1").status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/cloudevents+json",
        "application/vnd.till.v1+json; charset=utf-8",
    ],
)
def test_json_by_any_of_its_names_is_taken(till: Till, content_type: str) -> None:
    assert till.post(content_type=content_type).status_code == 202


@pytest.mark.parametrize("at", [-300, 0, 300])
def test_five_minutes_to_both_sides_are_now(till: Till, at: int) -> None:
    assert till.post(at=at).status_code == 202


@pytest.mark.parametrize("key", KEYS)
def test_either_key_is_good_while_keys_change(till: Till, key: bytes) -> None:
    assert till.post(key=key).status_code == 202


def test_one_good_signature_among_others_will_do(till: Till) -> None:
    good = webhook.signature(KEYS[1], "id-1", AT, b"{}")

    assert till.post(webhook_signature=f"v1a,asymmetric v1,wrong {good}").status_code == 202


def test_signatures_are_those_of_the_standard() -> None:
    key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    id, timestamp, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'

    assert webhook.signature(key, id, timestamp, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_sender_with_the_library_of_the_standard_is_understood(till: Till) -> None:
    library = pytest.importorskip("standardwebhooks")
    signed = library.Webhook(f"whsec_{b64encode(KEYS[0]).decode()}").sign("id-1", NOW, '{"a": "\u00fc"}')

    assert till.post('{"a": "\u00fc"}'.encode(), webhook_signature=signed).status_code == 202


def test_a_hundred_posts_of_one_id_at_once_are_one_row(till: Till) -> None:
    bodies = [b'{"a": 1}'] * 50 + [b'{"a": 2}'] * 50
    start = threading.Barrier(10)

    def post(batch: Sequence[bytes]) -> list[int]:
        start.wait()
        return [till.post(body).status_code for body in batch]

    with ThreadPoolExecutor(10) as pool:
        statuses = Counter(status for found in pool.map(post, [bodies[n::10] for n in range(10)]) for status in found)

    assert statuses == {202: 1, 200: 49, 409: 50}
    assert len(till.bronze()) == 1


def test_a_post_is_acknowledged_only_when_it_is_durable(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Inbox, "store", full)
        failed = till.post()
        not_ready = till.client.get("/health/ready")

    assert (failed.status_code, failed.headers["retry-after"]) == (503, "5")
    assert (not_ready.status_code, not_ready.json()) == (503, {"status": "not ready", "sources": ["till.sales"]})
    assert till.said == [
        "till.sales: cannot store payloads (database or disk is full); they are answered 503 and not taken"
    ]
    assert till.post().status_code == 202
    assert till.client.get("/health/ready").status_code == 200
    assert len(till.bronze()) == 1


def test_a_full_queue_and_a_full_memory_are_told_to_come_again(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise queue.Full

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "put", no_room)
        refused = till.post()
    till.client.app.state.receiver._room._free = 100  # type: ignore[attr-defined]
    too_much = till.post(b"x" * 101)

    for response in (refused, too_much):
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert till.bronze() == []
    assert [till.post(b"x" * 100, id=str(number)).status_code for number in range(3)] == [202, 202, 202]


def test_a_body_that_takes_too_long_is_given_up(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "BODY_SECONDS", 0.05)

    async def stall(self: Request) -> AsyncIterator[bytes]:
        await asyncio.sleep(30)
        yield b"{}"

    monkeypatch.setattr(Request, "stream", stall)

    assert till.post().status_code == 408


def test_a_payload_that_nobody_stores_is_not_acknowledged(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "STORE_SECONDS", 0.05)
    monkeypatch.setattr(Writer, "put", lambda *_: asyncio.get_running_loop().create_future())

    assert till.post().status_code == 503


def test_unsigned_posts_are_taken_on_loopback_only(till: Till) -> None:
    assert till.plain(b"{}", webhook_signature="").status_code == 202

    for header in ("forwarded", "x-forwarded-for"):  # a proxy on this machine passes others' posts on
        assert till.plain(b"{}", "id-2", **{header: "for=10.0.0.1"}).status_code == 401
    elsewhere = TestClient(till.client.app, base_url="http://10.0.0.1")
    sent = elsewhere.post("/v1/till/notes", content=b"{}", headers=headers(b"{}", "id-3"))
    assert sent.status_code == 401
    assert [id for id, _, _ in till.bronze("notes")] == ["id-1"]


def test_depth_is_as_the_source_has_it(till: Till) -> None:
    assert till.plain(b'{"a": [[1]]}', "a").status_code == 202
    assert till.plain(b'{"a": [[[1]]]}', "b").status_code == 413


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        (b"", 0),
        (b"[]", 1),
        (b"[[],[],{}]", 2),
        (rb'"[[["', 0),
        (rb'"\"[[[" []', 1),
        (rb'"\\" [[]]', 2),
        (b'[ "not ended [[[', 1),
        (b'[ "a backslash is last \\', 1),
        (b"]]]][[", 2),
    ],
)
def test_depth_is_counted_outside_of_strings(body: bytes, depth: int) -> None:
    assert not checks.is_too_deep(body, depth)
    if depth:
        assert checks.is_too_deep(body, depth - 1)


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'"\\', b"[]", b'"\\"', b"\\"])
def test_depth_is_counted_in_linear_time(unit: bytes) -> None:
    body = b'"' + unit * (1_000_000 // len(unit)) + b"\\"

    started = time.perf_counter()
    checks.is_too_deep(body, 32)

    assert time.perf_counter() - started < 3  # quadratic: many minutes


def test_a_contract_tells_what_is_missed_and_refuses_nothing(make: Make) -> None:
    body = {"kind": "gift", "lines": [{"sku": 1, "quantity": 0}, {"sku": "a", "Jo Doe": 1}], "by_name": {"Jo Doe": "x"}}

    with opened(make(contract=CONTRACT)) as till:
        response = till.post(json.dumps(body).encode())
        sound = till.post(b'{"id": "1", "kind": "sale", "lines": []}', id="id-2")

        assert response.status_code == 202
        assert response.json()["problems"] == [
            "id: missing",
            "kind: literal error",
            "lines.0.sku: string type",
            "lines.0.quantity: greater than",
            "lines.1.quantity: missing",
        ]
        assert sound.json() == {"status": "stored"}
        assert len(till.bronze()) == 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"id": "1", "kind": "sale", "lines": [], "by_name": {"Jo Doe": "x"}}', ["by_name.*: int parsing"]),
        ('{"id": "secret", "kind": "sale", "lines": []}', ["id: value error"]),
        ('{"id": "bug", "kind": "sale", "lines": []}', ["the contract could not judge it: RuntimeError"]),
        ("[]", ["not a JSON object"]),
    ],
)
def test_a_contract_repeats_nothing_of_the_payload(make: Make, body: str, told: list[str]) -> None:
    with opened(make(contract=CONTRACT)) as till:
        assert till.post(body.encode()).json() == {"status": "stored", "problems": told}


@pytest.mark.parametrize(
    ("contract", "told"),
    [
        ("RECORDS = []", r"jobs/till/contract\.py: found no RECORDS; wanted a map"),
        ("RECORDS = {'sale': int}", r"RECORDS: found 'sale'; wanted one of sales, notes, byhand"),
        ("RECORDS = {'sales': int}", r"RECORDS\['sales'\]: wanted a pydantic model"),
        ("import nothing_of_that_name", r"jobs/till/contract\.py: cannot be imported: No module named"),
    ],
)
def test_a_contract_that_is_none_is_told_at_the_start(make: Make, contract: str, told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        app_of([make(contract=contract)])


def test_health_is_told_to_anybody(till: Till) -> None:
    assert till.client.get("/health").json() == {"status": "ok"}
    assert till.client.get("/health/ready").json() == {"status": "ready"}


def test_the_start_tells_each_source_and_who_may_post(make: Make) -> None:
    assert list(lines(app_of([make()]))) == [
        "  POST /v1/till/sales  signed with one of 2 keys, at most 200,000 bytes",
        "  POST /v1/till/notes  UNSIGNED, at most 1,048,576 bytes",
        "WARNING: without keys, whoever is on this machine can post to till.notes",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "receiver.example", "::"])
def test_without_keys_it_listens_on_loopback_only(make: Make, host: str) -> None:
    with pytest.raises(ConfError, match=rf"connections\.till\.notes\.keys: missing, while receiver\.host is {host};"):
        app_of([make(f"receiver.host='{host}'")])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_loopback_needs_no_keys(make: Make, host: str) -> None:
    app_of([make(f"receiver.host='{host}'")])


@pytest.mark.parametrize("text", ["", "not base64!", b64encode(b"short").decode(), "whsec_" + "\u00fc" * 40])
def test_a_key_that_is_none_is_told_without_showing_it(make: Make, tmp_path: Path, text: str) -> None:
    conf = make()
    (tmp_path / "key1").write_text(text)

    with pytest.raises(ConfError) as raised:
        app_of([conf])

    told = str(raised.value)
    assert told.startswith(f"conf/platform/dev.yaml: connections.till.sales.keys: file:{tmp_path / 'key1'}: ")
    assert not text or text not in told


@pytest.mark.parametrize("encoded", [b64encode(b"k" * 25).decode(), b64encode(b"k" * 25).decode().rstrip("=")])
@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_a_key_is_base64_with_or_without_its_prefix(tmp_path: Path, prefix: str, encoded: str) -> None:
    (tmp_path / "key").write_text(prefix + encoded + "\n")

    assert webhook.key_of(SecretRef(f"file:{tmp_path / 'key'}")) == b"k" * 25


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (
            ("delivers: events", "delivers: snapshot"),
            ConfError,
            "sources.sales: found json snapshot; wanted json events",
        ),
        (("format: json", "format: csv"), ConfError, "sources.sales: found csv events; wanted json events"),
        (("intake: {kind: webhook", "intake: {kind: files"), ConfError, "till: found no source to post to"),
    ],
)
def test_a_source_that_cannot_be_posted_to_is_told(
    make: Make, change: tuple[str, str], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        app_of([make(conf=TILL.replace(*change).replace(", max_depth: 3" if "files" in change[1] else "none", ""))])


def test_shared_storage_is_refused(make: Make) -> None:
    with pytest.raises(LockedError, match="wanted a local folder"):
        app_of([make("storage.landing.root=s3a://bucket/landing")])


def test_a_folder_that_cannot_be_written_is_told(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SetupError, match=r"inbox\.sqlite: .*; wanted a folder of this user on a local disk"):
        app_of([make(f"storage.landing.root={tmp_path / 'file'}")])


def test_counts_are_told_each_minute_and_name_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_counts, "_SECONDS", 0.05)
    with opened(make()) as till:
        till.post(b'{"name": "Jo Doe"}')
        till.post(b'{"name": "Jo Doe"}')
        till.post(b"other")
        till.post(at=900)
        till.client.get("/nothing")
        time.sleep(0.3)
        told = list(till.said)
        counts = till.client.app.state.receiver.counts.all  # type: ignore[attr-defined]

    assert receiver_counts.told(counts) == "stored 1, known 1, refused 3 (401: 1, 404: 1, 409: 1), not stored 0"
    assert 1 <= len(told) <= 5  # nothing where nothing was posted
    assert not any("Jo" in line or "id-1" in line for line in told)
