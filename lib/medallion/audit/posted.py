"""Inboxes of webhook sources: what was acknowledged waits there as it came, or is in landing."""

import base64
import json
from collections.abc import Iterator
from hashlib import sha256

from medallion.audit.finding import Result
from medallion.audit.pins import Pinned, Waiting
from medallion.landing import Landing, Manifest
from medallion.receiver.inbox import DELIVERED_AS, FILE

MOST_BYTES = 256 * 1024 * 1024  # of posted payloads in landing that are looked through for those of the inbox


def check(pinned: Pinned, source: str, manifests: list[Manifest], result: Result) -> None:
    """Every acknowledged payload waits in the inbox, as it came, or is in landing."""
    place = Landing(pinned.conf, source).folder / FILE
    if pinned.at is not None:
        result.skip(f"inbox of {source}", "it has no history to look at as of a run")
        return
    held = pinned.inboxes[source]
    if held.problem:
        told = "stop the receiver and restore it; senders of what was not landed have to send it again"
        result.red(f"inbox of {source}", f"cannot be read: {held.problem}", [str(place)], told)
        return
    result.saw("payloads", len(held.rows))
    other = [f"{place}: key {key}" for key, digest, _, body in held.rows if body is not None and _hash(body) != digest]
    if other:
        result.red(f"inbox of {source}", "payloads differ from what was acknowledged", other, "ask their sender again")
    with result.perhaps(f"inbox of {source}"):
        _gathered(pinned, source, manifests, held, result)


def _hash(body: bytes) -> bytes:
    return sha256(body).digest()


def _gathered(pinned: Pinned, source: str, manifests: list[Manifest], held: Waiting, result: Result) -> None:
    posted = [m for m in manifests if any(file.name == DELIVERED_AS for file in m.files)]
    if sum(m.bytes for m in posted) > MOST_BYTES:
        result.skip(f"inbox of {source}", f"whether what it let go is in landing: more than {MOST_BYTES:,} bytes there")
        return
    landing = Landing(pinned.conf, source)
    landed = {found for manifest in posted for found in _envelopes(landing, manifest)}
    # What came before the oldest delivery that is there may have been in one that landing has let go.
    since = manifests[0].received_at if manifests and manifests[0].number > 1 else ""
    lost = [
        f"key {key}, received at {received_at}"
        for key, digest, received_at, body in held.rows
        if body is None and (key, digest) not in landed and received_at >= since
    ]
    if lost:
        told = f"restore the deliveries below {landing.folder}, or ask their sender again"
        result.red(f"inbox of {source}", "acknowledged payloads are neither in it nor in landing", lost, told)


def _envelopes(landing: Landing, manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    """Yield key and hash of each posted payload of a delivery; what cannot be read holds none."""
    for file in manifest.files:
        path = landing.folder / file.path
        if file.name != DELIVERED_AS or not path.is_file():
            continue
        for line in path.read_bytes().splitlines():
            try:
                told = json.loads(line)
                body = told["body"].encode() if "body" in told else base64.b64decode(told["body64"])
            except (ValueError, KeyError, TypeError):
                continue
            yield str(told["id"]), _hash(body)
