"""A sample community: deterministic users, posts and comments as a REST service gives them, many of them dirty.

Each day has all there is: two users more than the day before with their posts and comments, a user in ten changed,
one gone, a post in ten rewritten. What is wrong with them stands in `USER_DIRT`, `POST_DIRT` and `COMMENT_DIRT`: every
second user has one kind, in turn, every tenth post and every tenth comment; so all are there with 30 users.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.community.sample.dirt import COMMENT_DIRT, POST_DIRT, USER_DIRT, spoilt
from jobs.community.sample.names import CITIES, COMPANIES, NAMES, WORDS

__all__ = ["COMMENT_DIRT", "POST_DIRT", "RESOURCES", "USER_DIRT", "Delivery", "community", "deliveries"]

RESOURCES = ("users", "posts", "comments")
USERS = 30
_NEW_A_DAY = 2
_MOST_POSTS = 8  # of a user
_MOST_COMMENTS = 6  # on a post

Rows = list[Any]


@dataclass(frozen=True)
class Delivery:
    """Files that one source delivers at once."""

    source: str
    files: list[tuple[str, bytes]]


def deliveries(day: int, *, users: int = USERS, seed: int = 7) -> Iterator[Delivery]:
    """Yield a day's three extracts, each one JSON list; raises ValueError for sizes that make none."""
    for resource, rows in community(day, users=users, seed=seed).items():
        content = json.dumps(rows, ensure_ascii=False, indent=1).encode()
        yield Delivery(resource, [(f"{resource}-{day:04}.json", content)])


def community(day: int, *, users: int = USERS, seed: int = 7) -> Mapping[str, Rows]:
    """Return all that the service holds on a day, by resource; raises ValueError for sizes that make none."""
    if day < 0 or users < 1:
        raise ValueError(f"found day {day}, {users} users; wanted a day from 0 and at least one user")
    ids = [number for number in range(1, users + _NEW_A_DAY * day + 1) if number not in _gone(day, users, seed)]
    made: dict[str, Rows] = {resource: [] for resource in RESOURCES}
    for number in ids:
        made["users"].append(_user(number, day, seed))
        for post_id in _of(number, _MOST_POSTS, seed, "posts"):
            made["posts"].append(_post(post_id, number, day, seed))
            made["comments"] += [_comment(one, post_id, seed) for one in _of(post_id, _MOST_COMMENTS, seed, "comments")]
    return made


def _gone(day: int, users: int, seed: int) -> set[int]:
    """Return the users who are there no more: one a day, of those of day 0, with all they wrote."""
    return {1 + _chance(seed, "gone", n) % users for n in range(1, day + 1)}


def _of(number: int, most: int, seed: int, what: str) -> range:
    """Return the ids of what belongs to a number: some of those that are its own."""
    first = (number - 1) * most + 1
    return range(first, first + _chance(seed, what, number) % (most + 1))


def _user(number: int, day: int, seed: int) -> Any:
    moves = sum(_chance(seed, "moves", number, n) % 10 == 0 for n in range(1, day + 1))
    name = NAMES[_chance(seed, "name", number) % len(NAMES)]
    username = f"{name.split()[0]}.{number}"
    company = COMPANIES[_chance(seed, "company", number) % len(COMPANIES)]
    place = _chance(seed, "city", number, moves)
    user = {
        "id": number,
        "name": name,
        "username": username,
        "email": f"{username}@{company.split()[0].lower()}.example",
        "address": {
            "street": f"{WORDS[place % len(WORDS)].title()} Street",
            "suite": f"Apt. {1 + place % 900}",
            "city": CITIES[place % len(CITIES)],
            "zipcode": f"{10000 + place % 89999}",
            "geo": {"lat": _degrees(place, 90), "lng": _degrees(place // 7, 180)},
        },
        "phone": f"1-555-{place % 900 + 100}-{place % 9000 + 1000}",
        "website": f"{company.split()[0].lower()}.example",
        "company": {"name": company, "catchPhrase": _text(4, seed, "phrase", company), "bs": _text(3, seed, company)},
    }
    return spoilt(user, USER_DIRT[number // 2 % len(USER_DIRT)]) if number % 2 == 0 else user


def _post(number: int, user: int, day: int, seed: int) -> Any:
    edits = sum(_chance(seed, "edits", number, n) % 10 == 0 for n in range(1, day + 1))
    length = 8 + _chance(seed, "length", number, edits) % 60
    title, body = _text(5, seed, "title", number), _text(length, seed, "body", number, edits)
    post = {"userId": user, "id": number, "title": title, "body": body}
    return spoilt(post, POST_DIRT[number // 10 % len(POST_DIRT)]) if number % 10 == 0 else post


def _comment(number: int, post: int, seed: int) -> Any:
    by = _chance(seed, "by", number) % 200
    comment = {
        "postId": post,
        "id": number,
        "name": _text(3, seed, "comment", number),
        "email": f"reader.{by}@example.org",
        "body": _text(5 + by % 30, seed, "said", number),
    }
    return spoilt(comment, COMMENT_DIRT[number // 10 % len(COMMENT_DIRT)]) if number % 10 == 0 else comment


def _text(words: int, *parts: object) -> str:
    return " ".join(WORDS[_chance(*parts, n) % len(WORDS)] for n in range(words))


def _degrees(number: int, most: int) -> str:
    return f"{(number % (2 * most * 10_000) - most * 10_000) / 10_000:.4f}"


def _chance(*parts: object) -> int:
    """Return a number that looks random and follows from its parts alone."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=4).digest())
