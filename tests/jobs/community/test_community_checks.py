"""The SQL checks return nothing where all is well, and the fault where there is one."""

import re
from pathlib import Path

CHECKS = Path(__file__).parents[3] / "jobs" / "community" / "gold" / "checks"
LOGGED = ", ".join(["entity string", "rows int", *[f"grade_{grade}_rows int" for grade in "abcd"]])


def find(spark, check, **tables):
    """Return what a check finds in tables given as layer__table=(rows, schema)."""
    for name, (rows, schema) in tables.items():
        spark.createDataFrame(rows, schema).createOrReplaceTempView(f"community_{name}")
    text = re.sub(r"\b(community_\w+)\.(\w+)", r"\1__\2", (CHECKS / check).read_text())
    return sorted(map(tuple, spark.sql(text).collect()))


def test_a_post_that_is_missing_surplus_or_of_other_comments_is_found(spark):
    found = find(
        spark,
        "post_activity.adds_up.sql",
        silver__posts=([(1,), (2,), (3,), (4,)], "post_id int"),
        silver__comments=([(1,), (1,), (3,), (None,)], "post_id int"),
        gold__post_activity=([(1, 2), (2, 0), (3, 2), (9, 0)], "post_id int, comments int"),
    )

    assert found == [(3, 1, 2), (4, None, None), (9, None, 0)]


def test_a_user_who_is_missing_surplus_or_of_other_posts_is_found(spark):
    found = find(
        spark,
        "user_analytics_summary.one_row_a_user.sql",
        silver__users=([(1,), (2,), (3,), (4,)], "user_id int"),
        silver__posts=([(1,), (1,), (3,), (None,)], "user_id int"),
        gold__user_analytics_summary=([(1, 2), (2, 0), (3, 2), (9, 0)], "user_id int, posts int"),
    )

    assert found == [(3, 1, 2), (4, None, None), (9, None, 0)]


def test_an_entity_whose_days_do_not_add_up_is_found(spark):
    tables = {
        "silver__users": ([(1,), (2,)], "user_id int"),
        "silver__posts": ([(1,)], "post_id int"),
        "silver__comments": ([(1,)], "comment_id int"),
    }
    sound = [("users", 1, 1, 0, 0, 0), ("users", 1, 0, 0, 1, 0), ("posts", 1, 0, 1, 0, 0), ("comments", 1, 0, 0, 0, 1)]

    assert find(spark, "quality_log.adds_up.sql", **tables, gold__quality_log=(sound, LOGGED)) == []
    faulty = [sound[0], ("posts", 1, 0, 0, 0, 0)]
    assert find(spark, "quality_log.adds_up.sql", **tables, gold__quality_log=(faulty, LOGGED)) == [
        ("comments", 1, None, None), ("posts", 1, 1, 0), ("users", 2, 1, 1)
    ]  # fmt: skip
