import datetime as dt
from decimal import Decimal

from jobs.community.gold.post_activity import post_activity
from jobs.community.gold.quality_log import quality_log
from jobs.community.gold.user_analytics_summary import user_analytics_summary
from jobs.community.gold.user_engagement_metrics import user_engagement_metrics

MORNING = dt.datetime(2026, 1, 5, 6, tzinfo=dt.UTC)
EVENING = dt.datetime(2026, 1, 5, 23, 30, tzinfo=dt.UTC)
POINTS = {"post": 5, "comment": 1}
TIERS = {"high": 20, "medium": 10}


def test_a_post_has_the_sums_of_its_comments(spark):
    posts = spark.createDataFrame(
        [(1, 9, 5, 20, 4, 100, MORNING), (2, None, 5, 20, 4, 90, MORNING)],
        "post_id bigint, user_id bigint, title_length int, body_length int, body_words int, quality_score int, "
        "received_at timestamp",
    )
    comments = spark.createDataFrame(
        [(1, "a@b.org", 3), (1, "a@b.org", 4), (1, None, 0), (7, "a@b.org", 9), (None, "a@b.org", 9)],
        "post_id bigint, email string, body_words int",
    )

    found = post_activity(posts, comments).orderBy("post_id").collect()

    assert [(row.post_id, row.comments, row.commenters, row.comment_words) for row in found] == [
        (1, 3, 1, 7), (2, 0, 0, 0)
    ]  # fmt: skip


def test_a_user_has_the_sums_of_their_posts(spark):
    users = spark.createDataFrame(
        [(1, "A", MORNING), (2, None, EVENING)], "user_id bigint, name string, received_at timestamp"
    )
    for name in ("username", "email_domain", "city", "company_name", "quality_grade"):
        users = users.selectExpr("*", f"'x' AS {name}")
    users = users.selectExpr("*", "88 AS quality_score")
    posts = spark.createDataFrame(
        [(5, 1, 3, 10, 2, 100, 4, EVENING), (3, 1, 4, 11, 3, 99, 0, MORNING), (4, 1, 4, 11, 3, 98, 1, MORNING),
         (6, None, 4, 11, 3, 98, 1, MORNING)],
        "post_id bigint, user_id bigint, title_length int, body_length int, body_words int, quality_score int, "
        "comments bigint, received_at timestamp",
    )  # fmt: skip

    writer, silent = user_analytics_summary(users, posts).orderBy("user_id").collect()

    assert (writer.posts, writer.commented_posts, writer.comments, writer.body_words) == (3, 2, 5, 8)
    assert (writer.average_title_length, writer.average_body_length) == (Decimal("3.67"), Decimal("10.67"))
    assert (writer.average_post_score, writer.first_post_id, writer.last_post_id) == (Decimal("99.00"), 3, 5)
    assert writer.last_received_at.astimezone(dt.UTC) == EVENING
    assert (silent.posts, silent.comments, silent.average_body_length, silent.first_post_id) == (0, 0, None, None)
    assert silent.last_received_at.astimezone(dt.UTC) == EVENING


def test_engagement_is_derived_from_counts(spark):
    summary = spark.createDataFrame(
        [(1, "a", 3, 2, 5), (2, "b", 4, 1, 0), (3, "c", 2, 2, 1), (4, None, 0, 0, 0), (5, "e", 1, 1, 6)],
        "user_id bigint, username string, posts bigint, commented_posts bigint, comments bigint",
    )

    found = user_engagement_metrics(summary, engagement_points=POINTS, engagement_tiers=TIERS)

    shown = {row.user_id: tuple(row)[4:] for row in found.collect()}
    two = Decimal
    assert shown == {
        1: (two("66.67"), two("1.6667"), two("30.00"), two("41.67"), 20, 1, "high"),
        2: (two("25.00"), two("0.0000"), two("40.00"), two("0.00"), 20, 1, "high"),
        3: (two("100.00"), two("0.5000"), two("20.00"), two("8.33"), 11, 3, "medium"),
        4: (None, None, two("0.00"), two("0.00"), 0, 5, "none"),
        5: (two("100.00"), two("6.0000"), two("10.00"), two("50.00"), 11, 3, "medium"),
    }


def test_shares_of_nothing_are_null(spark):
    summary = spark.createDataFrame(
        [(1, "a", 0, 0, 0)],
        "user_id bigint, username string, posts bigint, commented_posts bigint, comments bigint",
    )

    (row,) = user_engagement_metrics(summary, engagement_points=POINTS, engagement_tiers=TIERS).collect()

    assert (row.post_share_pct, row.comment_share_pct, row.engagement_tier) == (None, None, "none")


def test_the_log_counts_a_day_of_the_zone(spark):
    schema = (
        "received_at timestamp, completeness int, validity int, consistency int, quality_score int, "
        "quality_grade string"
    )
    users = spark.createDataFrame(
        [(MORNING, 100, 100, 100, 100, "A"), (MORNING, 90, 50, 100, 76, "B"), (EVENING, 10, 100, 66, 57, "C")], schema
    )
    posts = spark.createDataFrame([(EVENING, 0, 0, 0, 0, "D")], schema)
    comments = spark.createDataFrame([], schema)

    found = quality_log(users, posts, comments, zone="Europe/Vienna").orderBy("entity", "delivered_on").collect()

    monday, tuesday = dt.date(2026, 1, 5), dt.date(2026, 1, 6)
    assert [tuple(row) for row in found] == [
        ("posts", tuesday, 1, Decimal("0.00"), 0, 0, 0, 0, 1, 1, 1, 1),
        ("users", monday, 2, Decimal("88.00"), 76, 1, 1, 0, 0, 1, 1, 0),
        ("users", tuesday, 1, Decimal("57.00"), 57, 0, 0, 1, 0, 1, 0, 1),
    ]
