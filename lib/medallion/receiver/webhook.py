"""How webhooks are signed: the scheme of Standard Webhooks (https://www.standardwebhooks.com), by HMAC-SHA256.

What is signed is ``<webhook-id>.<webhook-timestamp>.<body>``, so that none of the three can be exchanged.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from medallion import clock
from medallion.conf.secret import SecretRef
from medallion.errors import ConfError

TOLERANCE = timedelta(minutes=5)
_PREFIX = "whsec_"
_LEAST_KEY_BYTES = 24
_MOST_SIGNATURES = 10
_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class Signed:
    """What a sender says of a body: its id, when it was sent (Unix seconds) and signatures, apart by blanks."""

    id: str
    timestamp: str
    signatures: str


def key_of(secret: SecretRef) -> bytes:
    """Return the key that a reference stands for; raises ConfError for one that is none, without showing it."""
    text = secret.reveal().strip().removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:  # not base64, or not even ASCII
        key = b""
    if len(key) < _LEAST_KEY_BYTES:
        raise ConfError(
            f"{secret}: found no key of at least {_LEAST_KEY_BYTES} bytes in base64 (not shown); wanted one such as "
            f"`openssl rand -base64 32` makes, perhaps with {_PREFIX} in front"
        )
    return key


def signature(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a body, as the header has it."""
    content = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def is_current(timestamp: str) -> bool:
    """Tell whether something was sent just now, give or take five minutes."""
    if not _SECONDS.fullmatch(timestamp):
        return False
    return abs(clock.now().timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()


def is_signed(keys: Sequence[bytes], signed: Signed, body: bytes) -> bool:
    """Tell whether one of the signatures is by one of the keys; how long that takes does not tell how near it was."""
    given = [one.encode("latin-1", "replace") for one in signed.signatures.split(" ")[:_MOST_SIGNATURES]]
    found = False
    for key in keys:
        wanted = signature(key, signed.id, signed.timestamp, body).encode()
        for one in given:
            found |= hmac.compare_digest(wanted, one)
    return found
