"""What is wrong with rows of the sample, kind by kind."""

from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]


def spoilt(row: Row, kind: str) -> Any:
    """Return a row with what is wrong about its kind; for some kinds it is no object any more."""
    return _SPOILS[kind](row)


def _with(**changed: Any) -> Callable[[Row], Row]:
    return lambda row: {**row, **changed}


def _without(name: str) -> Callable[[Row], Row]:
    return lambda row: {key: value for key, value in row.items() if key != name}


def _place(**geo: Any) -> Callable[[Row], Row]:
    return lambda row: {**row, "address": {**row["address"], "geo": geo}}


_SPOILS: Mapping[str, Callable[[Row], Any]] = {
    "bad_email": _with(email="nobody at example.org"),
    "no_email": _with(email=None),
    "blank_email": _with(email="   "),
    "loud_email": lambda row: {**row, "email": f"  {row['email'].upper()} "},
    "no_address": _without("address"),
    "address_is_text": _with(address="somewhere"),
    "no_geo": lambda row: {**row, "address": {k: v for k, v in row["address"].items() if k != "geo"}},
    "half_geo": _place(lat="12.5"),
    "geo_far_off": _place(lat="123.0001", lng="10"),
    "geo_unreadable": _place(lat="north", lng="10"),
    "no_company": _with(company=None),
    "phone_of_letters": _with(phone="ask Ada"),
    "id_is_text": lambda row: {**row, "id": f" {row['id']} "},
    "no_id": _with(id=None),
    "no_object": lambda row: f"user {row['id']}",
    "no_user": _with(userId=None),
    "user_is_text": lambda row: {**row, "userId": str(row["userId"])},
    "user_is_no_number": _with(userId="Ada"),
    "unknown_user": _with(userId=9_999_999),
    "no_title": _with(title=None),
    "blank_body": _with(body=" \n "),
    "odd_letters": _with(body="🦊\u200b naïve\u00a0façade ﬁ ẞ\u0301\ttwo\r\nlines"),
    "title_is_body": lambda row: {**row, "body": row.get("title") or row.get("name")},
    "no_post": _with(postId=None),
    "unknown_post": _with(postId=9_999_999),
}

USER_DIRT = (
    "bad_email", "no_email", "blank_email", "loud_email", "no_address", "address_is_text", "no_geo", "half_geo",
    "geo_far_off", "geo_unreadable", "no_company", "phone_of_letters", "id_is_text", "no_id", "no_object",
)  # fmt: skip
POST_DIRT = (
    "no_user", "user_is_text", "user_is_no_number", "unknown_user", "no_title", "blank_body", "odd_letters",
    "title_is_body", "no_id",
)  # fmt: skip
COMMENT_DIRT = ("no_post", "unknown_post", "bad_email", "no_email", "blank_body", "odd_letters", "title_is_body")
