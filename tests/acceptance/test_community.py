"""JSONPlaceholder's users, posts and comments, served on loopback: every figure equals plain Python's."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import community_service
import pytest

from jobs.community.sample import RESOURCES
from medallion import conf as conf_door
from medallion.clock import NOW
from medallion.intake import http
from tests.acceptance import tracing
from tests.acceptance.accounting import require_balanced, require_passed, totals
from tests.conftest import LAYERS, PROJECT, Lakehouse

Rows = Sequence[Mapping[str, Any]]
CENT = Decimal("0.01")
DAY = "2026-01-05"


@pytest.fixture(scope="module", params=["as it is", "uneven"])
def data(real_data, request) -> Mapping[str, Rows]:
    """The data; and less of it, since all of its users write and receive equally much."""
    found: Mapping[str, Rows] = json.loads((real_data / "jsonplaceholder" / "data.json").read_bytes())
    assert {name: len(found[name]) for name in RESOURCES} == {"users": 10, "posts": 100, "comments": 500}
    if request.param == "as it is":
        return found
    posts = [post for post in found["posts"] if post["userId"] > 1 and post["id"] % post["userId"] < 3]
    kept = {post["id"] for post in posts}
    comments = [one for one in found["comments"] if one["postId"] in kept and one["id"] % 5 < one["postId"] % 6]
    return {"users": found["users"], "posts": posts, "comments": comments}


@pytest.fixture(scope="module")
def asked(data) -> list[str]:
    return []


@pytest.fixture(scope="module")
def lake(data, asked, tmp_path_factory, sessions) -> Iterator[Lakehouse]:
    """Taken in from a service that fails once on the way."""

    def answer(path: str, query: Mapping[str, str]) -> community_service.Answer:
        asked.append(path)
        return (503, b"") if len(asked) == 2 else community_service.answer(data, path, query)

    with pytest.MonkeyPatch.context() as patch, community_service.serving(answer) as url:
        patch.setenv(NOW, f"{DAY}T06:00:00+00:00")
        patch.setattr(http, "_sleep", lambda seconds: None)
        root = tmp_path_factory.mktemp("community")
        overrides = [f"storage.{layer}.root={root / layer}" for layer in LAYERS]
        overrides += [f"connections.community.{name}.url={url}" for name in RESOURCES]
        lake = Lakehouse(conf_door.load("community", overrides, PROJECT), sessions)
        require_passed(lake.run())
        yield lake


def percent(part: int, whole: int) -> Decimal | None:
    return None if whole == 0 else (Decimal(part * 100) / whole).quantize(CENT, ROUND_HALF_UP)


def mean(numbers: Sequence[int]) -> Decimal | None:
    return None if not numbers else (Decimal(sum(numbers)) / len(numbers)).quantize(CENT, ROUND_HALF_UP)


def test_every_record_is_accounted_for(lake, data):
    require_balanced(lake)
    for name in RESOURCES:
        assert totals(lake, f"community.bronze.{name}")["stored"] == len(data[name])
        assert totals(lake, f"community.silver.{name}")["written"] == len(data[name])


def test_every_user_is_as_the_service_gives_them(lake, data):
    found = {row.user_id: row for row in lake.rows("community.silver.users").collect()}

    for user in data["users"]:
        row, address = found.pop(user["id"]), user["address"]
        assert (row.name, row.username, row.phone) == (user["name"], user["username"], user["phone"])
        assert (row.email, row.email_domain) == (user["email"].lower(), user["email"].lower().split("@")[1])
        assert (row.street, row.suite, row.city, row.zipcode) == tuple(
            address[part] for part in ("street", "suite", "city", "zipcode")
        )
        assert (row.latitude, row.longitude) == (Decimal(address["geo"]["lat"]), Decimal(address["geo"]["lng"]))
        assert (row.company_name, row.company_catch_phrase, row.company_bs) == tuple(user["company"].values())
        assert (row.website, row.quality_score, row.quality_grade) == (user["website"], 100, "A")
    assert found == {}


def test_every_text_is_measured(lake, data):
    posts = {row.post_id: row for row in lake.rows("community.silver.posts").collect()}
    comments = {row.comment_id: row for row in lake.rows("community.silver.comments").collect()}

    for post in data["posts"]:
        row = posts[post["id"]]
        assert (row.user_id, row.title, row.body) == (post["userId"], post["title"], post["body"])
        assert (row.title_length, row.body_length) == (len(post["title"]), len(post["body"]))
        assert (row.title_words, row.body_words) == (len(post["title"].split()), len(post["body"].split()))
    for comment in data["comments"]:
        row = comments[comment["id"]]
        assert (row.post_id, row.title, row.body) == (comment["postId"], comment["name"], comment["body"])
        assert (row.email, row.email_domain) == (comment["email"].lower(), comment["email"].lower().split("@")[1])
        assert row.body_words == len(comment["body"].split())


def test_every_users_summary_is_exact(lake, data):
    found = {row.user_id: row for row in lake.rows("community.gold.user_analytics_summary").collect()}

    received = Counter(comment["postId"] for comment in data["comments"])
    for user in data["users"]:
        mine = [post for post in data["posts"] if post["userId"] == user["id"]]
        row = found.pop(user["id"])
        assert (row.posts, row.comments) == (len(mine), sum(received[post["id"]] for post in mine))
        assert row.commented_posts == sum(received[post["id"]] > 0 for post in mine)
        assert row.body_words == sum(len(post["body"].split()) for post in mine)
        assert row.average_title_length == mean([len(post["title"]) for post in mine])
        assert row.average_body_length == mean([len(post["body"]) for post in mine])
        assert row.average_post_score == mean([_post_score(post) for post in mine])
        ids = [post["id"] for post in mine]
        assert (row.first_post_id, row.last_post_id) == (min(ids, default=None), max(ids, default=None))
        assert (row.city, row.email_domain) == (user["address"]["city"], user["email"].lower().split("@")[1])
    assert found == {}


def test_every_users_engagement_is_exact(lake, data):
    found = {row.user_id: row for row in lake.rows("community.gold.user_engagement_metrics").collect()}

    author = {post["id"]: post["userId"] for post in data["posts"]}
    posts = Counter(author.values())
    comments = Counter(author[comment["postId"]] for comment in data["comments"])
    points = {user["id"]: 5 * posts[user["id"]] + comments[user["id"]] for user in data["users"]}
    commented = {comment["postId"] for comment in data["comments"]}
    for user, row in found.items():
        mine = [post for post, by in author.items() if by == user]
        assert row.engagement_rate_pct == percent(len(commented & set(mine)), len(mine))
        a_post = (Decimal(comments[user]) / posts[user]).quantize(Decimal("0.0001"), ROUND_HALF_UP) if mine else None
        assert row.comments_per_post == a_post
        assert row.post_share_pct == percent(posts[user], len(data["posts"]))
        assert row.comment_share_pct == percent(comments[user], len(data["comments"]))
        assert row.engagement_points == points[user]
        assert row.engagement_rank == 1 + sum(other > points[user] for other in points.values())
        assert row.engagement_tier == _tier(points[user])
    assert set(found) == set(points)


def test_the_log_of_quality_is_exact(lake, data):
    found = {row.entity: row for row in lake.rows("community.gold.quality_log").collect()}

    scores = {
        "users": [100] * 10,
        "posts": [_post_score(post) for post in data["posts"]],
        "comments": [_comment_score(comment) for comment in data["comments"]],
    }
    assert set(found) == set(scores)
    for entity, known in scores.items():
        row = found[entity]
        assert (str(row.delivered_on), row["rows"], row.min_score) == (DAY, len(known), min(known))
        assert row.average_score == mean(known)
        assert row.grade_a_rows == sum(score >= 90 for score in known)
        assert row.grade_b_rows == sum(75 <= score < 90 for score in known)
        assert (row.incomplete_rows, row.invalid_rows) == (0, 0)
        assert row.inconsistent_rows == sum(score < 100 for score in known)


def test_a_second_day_without_news_stores_nothing(lake, asked, monkeypatch):
    monkeypatch.setenv(NOW, "2026-01-06T06:00:00+00:00")
    before = lake.versions()

    report = lake.run()

    assert {outcome.status for outcome in report.outcomes} == {"skipped"}
    assert lake.versions() == before
    assert len(asked) > len(RESOURCES)


def _tier(points: int) -> str:
    return "high" if points >= 75 else "medium" if points >= 25 else "low" if points else "none"


def _post_score(post: Mapping[str, Any]) -> int:
    """All fields are there and of their form; the title differs from the body, and should not be longer."""
    rules = [post["title"] != post["body"], len(post["title"]) <= len(post["body"])]
    return (40 * 100 + 40 * 100 + 20 * (100 * sum(rules) // len(rules))) // 100


def _comment_score(comment: Mapping[str, Any]) -> int:
    rules = [comment["name"] != comment["body"], len(comment["name"]) <= len(comment["body"])]
    return (40 * 100 + 40 * 100 + 20 * (100 * sum(rules) // len(rules))) // 100


@pytest.mark.slow
@pytest.mark.parametrize("data", ["uneven"], indirect=True)
def test_random_rows_are_made_of_the_payloads_that_a_trace_finds(lake):
    assert not any(tracing.differences(lake).values())
