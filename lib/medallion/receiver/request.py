"""A request to the receiver, read with suspicion: headers once each, no more body than wanted, or a refusal."""

import asyncio
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.requests import Request

from medallion.receiver.checks import is_json
from medallion.receiver.webhook import Signed, is_current

Take = Callable[[int], None]

MOST_BODY_BYTES = 256 * 1024 * 1024  # of all bodies in memory together
BODY_SECONDS = 30
RETRY = {"retry-after": "5"}
CLOSE = {"connection": "close"}  # what is left of a body is not read
BUSY = "not taken, too much at once; send it again"
UNAUTHORIZED = "signature not accepted; wanted a webhook-timestamp of now and a signature by a key of this source"
_MOST_ID = 200


class Refused(Exception):
    """A post that is not taken; the message is for its sender."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


class Room:
    """Bytes of bodies in memory, at most so many at a time."""

    def __init__(self, most: int) -> None:
        self._free = most

    @contextmanager
    def visit(self) -> Iterator[Take]:
        """Give a function that takes bytes, or refuses; all are given back at the end."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if count > self._free:
                raise Refused(503, BUSY, {**RETRY, **CLOSE})
            self._free -= count
            taken += count

        try:
            yield take
        finally:
            self._free += taken


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_json(headers: Headers) -> None:
    """Refuse what is not plain JSON by its headers."""
    if not is_json(_once(headers, "content-type") or ""):
        raise Refused(415, "wanted content-type: application/json, in utf-8", CLOSE)
    if (_once(headers, "content-encoding") or "identity").lower() != "identity":
        raise Refused(415, "found a content-encoding; wanted none", CLOSE)


def signed_of(request: Request, *, must_be_signed: bool) -> Signed:
    """Return what the headers say of the body; refuses what cannot be taken whatever the body is."""
    headers = request.headers
    signed = Signed(*(_once(headers, f"webhook-{name}") or "" for name in ("id", "timestamp", "signature")))
    is_plain = signed.id.isascii() and signed.id.isprintable() and not set(" .") & set(signed.id)
    if not signed.id or not is_plain or len(signed.id) > _MOST_ID:
        raise Refused(400, f"webhook-id: wanted 1 to {_MOST_ID} plain characters without blanks and full stops", CLOSE)
    if must_be_signed:
        if not signed.timestamp:
            raise Refused(400, "webhook-timestamp: missing; wanted the Unix time in seconds", CLOSE)
        if not is_current(signed.timestamp):
            raise Refused(401, UNAUTHORIZED, CLOSE)
    elif not _is_local(request):
        raise Refused(401, "unsigned posts are taken from this machine only", CLOSE)
    return signed


async def body_of(request: Request, most: int, take: Take) -> bytes:
    """Read a body, and no more of it than is wanted."""
    too_large = Refused(413, f"too large; wanted at most {most} bytes", CLOSE)
    told = request.headers.get("content-length", "")
    if told and "transfer-encoding" in request.headers:  # a proxy in front might see another end than we do
        raise Refused(400, "content-length: found beside transfer-encoding; wanted one of them", CLOSE)
    if told.isdecimal() and int(told) > most:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                take(len(part))
                parts.append(part)
    except TimeoutError:
        raise Refused(408, f"the body took longer than {BODY_SECONDS} seconds", CLOSE) from None
    return b"".join(parts)


def _is_local(request: Request) -> bool:
    """Tell whether a request was made on this machine, and not passed on by a proxy."""
    server: tuple[str, int | None] | None = request.scope.get("server")
    is_passed_on = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    return server is not None and is_loopback(server[0]) and not is_passed_on


def _once(headers: Headers, name: str) -> str | None:
    found = headers.getlist(name)
    if len(found) > 1:
        raise Refused(400, f"{name}: found {len(found)} times; wanted once", CLOSE)
    return found[0].strip() if found else None
