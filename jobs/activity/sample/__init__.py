"""A sample of user activity: deterministic events of some users over 60 days, some of them dirty.

Day 0 holds the history up to `DAY_0`; each later day brings that day's events, some of the day before that come late,
and one delivery in fifty a second time. What is wrong with events stands in `DIRT`: one in a hundred is of each kind.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DAY_0 = dt.date(2026, 1, 28)
HISTORY_DAYS = 60
# How often each type comes, after the steps that come once.
_TYPES = ("page_view",) * 10 + ("search",) * 4 + ("login",) * 2 + ("logout", "comment", "share", "edit")
DIRT = ("unknown_type", "no_user", "no_time", "zoneless", "ancient", "blank_id", "broken", "future")


@dataclass(frozen=True)
class Delivery:
    """Files that one source delivers at once."""

    source: str
    files: list[tuple[str, bytes]]


def deliveries(day: int, *, users: int = 50, seed: int = 7) -> Iterator[Delivery]:
    """Yield a day's events as one delivery of JSON lines; raises ValueError for sizes that make none."""
    if day < 0 or users < 1:
        raise ValueError(f"found day {day}, {users} users; wanted a day from 0 and at least one user")
    first = -HISTORY_DAYS if day == 0 else day
    lines = [line for number in range(first, day + 1) for line in _of_day(number, users, seed)]
    yield Delivery("events", [(f"events-{day:04}.jsonl", b"".join(line + b"\n" for line in lines))])


def _of_day(number: int, users: int, seed: int) -> Iterator[bytes]:
    for user in range(users):
        for event in _of_user(number, user, seed):
            line = json.dumps(event, separators=(",", ":")).encode()
            kind = _chance(seed, "dirt", event["event_id"])
            if kind < len(DIRT):
                line = _spoilt(event, DIRT[kind])
            yield line
            if _chance(seed, "again", event["event_id"]) % 50 == 0:
                yield line


def _of_user(number: int, user: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what a user does on a day: signs up once, then comes less and less often."""
    began = -HISTORY_DAYS + _chance(seed, "began", user) % HISTORY_DAYS
    age = number - began
    if age < 0 or (age and _chance(seed, "comes", user, number) % (2 + age // 7) > 1):
        return
    kinds = ["signup"] if age == 0 else []
    if age in (0, 3) and _chance(seed, "activates", user) % 3 < 2 and (age == 3) == (user % 2 == 1):
        kinds.append("activate")
    count = 1 + _chance(seed, "count", user, number) % 12
    kinds += [_TYPES[_chance(seed, "type", user, number, n) % len(_TYPES)] for n in range(count)]
    if _chance(seed, "buys", user, number) % 10 == 0:
        kinds += ["add_to_cart", "checkout", "purchase"]
    second = 8 * 3600 + _chance(seed, "hour", user, number) % (10 * 3600)
    midnight = dt.datetime.combine(DAY_0 + dt.timedelta(days=number), dt.time(), dt.UTC)
    for place, kind in enumerate(kinds):
        second += 20 + _chance(seed, "pause", user, number, place) % (900 if place % 5 else 3600)
        yield {
            "event_id": f"e-{user:05}-{number + HISTORY_DAYS:04}-{place:03}",
            "user_id": f"u-{user:05}",
            "event_type": kind,
            "occurred_at": (midnight + dt.timedelta(seconds=second)).isoformat().replace("+00:00", "Z"),
            "properties": {"page": f"/{kind}/{place}"},
        }


def _spoilt(event: dict[str, Any], kind: str) -> bytes:
    changed: dict[str, dict[str, Any]] = {
        "unknown_type": {"event_type": "teleport"},
        "no_user": {"user_id": None},
        "no_time": {"occurred_at": None},
        "zoneless": {"occurred_at": event["occurred_at"].removesuffix("Z")},
        "ancient": {"occurred_at": "1970-01-01T00:00:00Z"},
        "blank_id": {"event_id": "  "},
        "future": {"occurred_at": "2999-01-01T00:00:00Z"},
    }
    line = json.dumps({**event, **changed.get(kind, {})}, separators=(",", ":")).encode()
    return line[: len(line) // 2] if kind == "broken" else line


def _chance(*parts: object) -> int:
    """Return a number that looks random and follows from its parts alone; of dirt, one below 8 in a hundred."""
    number = int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=4).digest())
    return number % 800 if "dirt" in parts else number
