"""What has been told to whom: ``<ops root>/<pipeline>/alerts``, one row an event of a trouble on a channel.

It is the record of what was sent, which stands nowhere else; what is wrong is always found anew. Without it a trouble
would be told once more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from medallion import clock, ops
from medallion.conf import Conf
from medallion.health import Trouble

ALERTS = {
    "started_at": "timestamp",  # when it was told
    "told_ms": "bigint",  # the same by the machine's clock, which orders events
    "event": "string",  # began, lasts or over
    "channel": "string",
    "kind": "string",
    "subject": "string",
    "label": "string",
    "standing": "string",
    "what": "string",
    "next": "string",
    "rows": "bigint",
}
Event = Literal["began", "lasts", "over"]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Open:
    """A trouble that a channel was told of, and not yet that it is over."""

    trouble: Trouble
    channel: str
    at: datetime


def key(trouble: Trouble) -> Key:
    """Return what a trouble is told from others by."""
    return trouble.kind, trouble.subject, trouble.label


def still_open(conf: Conf) -> list[Open]:
    """Return what channels were told of, and is not over as far as they know."""
    names = "kind, subject, label, channel"
    placed = f"SELECT *, row_number() OVER (PARTITION BY {names} ORDER BY told_ms DESC) AS place FROM t WHERE {{since}}"
    rows = ops.select(conf, "alerts", f"SELECT * FROM ({placed}) WHERE place = 1 AND event <> 'over'")
    return [Open(_trouble(row), row["channel"], row["started_at"]) for row in rows]


def note(conf: Conf, event: Event, channels: Sequence[str], troubles: Sequence[Trouble]) -> None:
    """Append that channels were told of troubles."""
    shared = {"started_at": clock.now(), "told_ms": clock.milliseconds(), "event": event}
    fields = ("kind", "subject", "label", "standing", "what", "next", "rows")
    rows: list[Mapping[str, Any]] = [
        {**shared, "channel": channel, **{name: getattr(one, name) for name in fields}}
        for channel in channels
        for one in troubles
    ]
    ops.append(conf, "alerts", ALERTS, rows)


def _trouble(row: Mapping[str, Any]) -> Trouble:
    fields = ("standing", "subject", "what", "next", "kind", "label", "rows")
    return Trouble(**{name: row[name] for name in fields})
