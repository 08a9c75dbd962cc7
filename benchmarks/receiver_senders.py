"""Senders of signed webhooks for the load test, and the ledger of what was acknowledged to them."""

import asyncio
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from medallion.receiver.webhook import signature

PATH = "/v1/load/events"
_PAUSE_SECONDS = 0.05  # before a post is tried again
_SYNC_SECONDS = 0.02

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Load:
    """How much to post: for how long, on how many connections, payloads of about how many bytes."""

    seconds: float = 20.0
    connections: int = 32
    bytes: int = 1000


@dataclass
class Ledger:
    """Ids that were acknowledged, a line each, in a file that is synced many times a second."""

    path: Path
    _new: list[str] = field(default_factory=list)

    def add(self, id: str) -> None:
        """Note an id."""
        self._new.append(id)

    def sync(self) -> None:
        """Bring what was noted to the disk."""
        noted, self._new = self._new, []
        with self.path.open("a") as file:
            file.writelines(f"{id}\n" for id in noted)
            file.flush()
            os.fsync(file.fileno())

    async def keep(self) -> None:
        """Sync until cancelled."""
        while True:
            await asyncio.sleep(_SYNC_SECONDS)
            await asyncio.to_thread(self.sync)


@dataclass
class Sender:
    """One connection of a sender that tries until it is told that its payload was taken."""

    name: str
    port: int
    key: bytes
    load: Load
    ledger: Ledger
    times: list[float] = field(default_factory=list)
    again: int = 0

    async def send(self, over: asyncio.Event) -> None:
        """Post one payload after another until it is over; raises RuntimeError where one is refused."""
        number = 0
        connection: Connection | None = None
        while not over.is_set():
            id = f"{self.name}-{number}"
            try:
                connection = connection or await asyncio.open_connection("127.0.0.1", self.port)
                status = await self._post(connection, id)
            except (OSError, asyncio.IncompleteReadError):
                await _close(connection)
                connection, status = None, 0
            if status in (200, 202):
                self.ledger.add(id)
                number += 1
            elif status in (0, 503):
                self.again += 1
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                raise RuntimeError(f"a post was answered {status}")
        await _close(connection)

    async def _post(self, connection: Connection, id: str) -> int:
        reader, writer = connection
        started = time.perf_counter()
        writer.write(_request(self.key, id, body_of(id, self.load.bytes)))
        status = await _status(reader)
        self.times.append(time.perf_counter() - started)
        return status


def body_of(id: str, size: int) -> bytes:
    """Return the payload of an id."""
    return json.dumps({"event": id, "filling": "x" * max(size - len(id) - 30, 0)}).encode()


def _request(key: bytes, id: str, body: bytes) -> bytes:
    timestamp = str(int(time.time()))
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"webhook-id: {id}\r\nwebhook-timestamp: {timestamp}\r\n"
        f"webhook-signature: {signature(key, id, timestamp, body)}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _status(reader: asyncio.StreamReader) -> int:
    """Read an answer, and return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = head.partition("content-length:")[2].partition("\r\n")[0]
    await reader.readexactly(int(length))
    return int(head.split()[1])


async def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection[1].close()
        with suppress(OSError):
            await connection[1].wait_closed()
