"""community.gold.user_analytics_summary: one row per user_id, with what the user wrote and received.

A user without posts has zeros, and null where something is said of posts. Ids grow as posts are written, so
the smallest is the first. Averages are rounded half up.
- average_title_length, average_body_length = sum of characters / posts
- average_post_score = sum of the posts' quality scores / posts
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Mart

COUNTS = ("posts", "commented_posts", "comments", "body_words")

table = Mart(
    driving="community.silver.users",
    key=("user_id",),
    children={"community.gold.post_activity": "user_id"},
    columns={
        "user_id": ("bigint", "the user"),
        "name": ("string", "the user's name"),
        "username": ("string", "what the user is called in the community"),
        "email_domain": ("string", "domain of the user's e-mail; null where that is none"),
        "city": ("string", "city of the user's address"),
        "company_name": ("string", "the company the user works for"),
        "posts": ("bigint", "posts the user wrote"),
        "commented_posts": ("bigint", "of them, those with a comment"),
        "comments": ("bigint", "comments on the user's posts"),
        "body_words": ("bigint", "words of the user's posts"),
        "average_title_length": ("decimal(12,2)", "characters of a title; null without posts"),
        "average_body_length": ("decimal(12,2)", "characters of a body; null without posts"),
        "average_post_score": ("decimal(5,2)", "quality score of the user's posts; null without posts"),
        "first_post_id": ("bigint", "the user's first post"),
        "last_post_id": ("bigint", "the user's last post"),
        "quality_score": ("int", "of the user's own row, 0 to 100"),
        "quality_grade": ("string", "A, B, C or D, by that score"),
        "last_received_at": ("timestamp", "when the user or a post of theirs was last delivered anew, UTC"),
    },
)


@table.transform
def user_analytics_summary(users: DataFrame, post_activity: DataFrame) -> DataFrame:
    """Bring each user together with the sums of their posts."""
    counted = {name: F.coalesce(F.col(name), F.lit(0)).cast("bigint") for name in COUNTS}
    last_received_at = F.greatest("received_at", "last_post_received_at")  # which passes over a null
    return (
        users.join(post_activity.transform(_sum_by_user), on="user_id", how="left")
        .withColumns({**counted, "last_received_at": last_received_at})
        .select(*table.columns)
    )


def _sum_by_user(post_activity: DataFrame) -> DataFrame:
    return post_activity.groupBy("user_id").agg(
        F.count("*").alias("posts"),
        F.count_if(F.col("comments") > 0).alias("commented_posts"),
        F.sum("comments").alias("comments"),
        F.sum("body_words").alias("body_words"),
        _average("title_length", "decimal(12,2)").alias("average_title_length"),
        _average("body_length", "decimal(12,2)").alias("average_body_length"),
        _average("quality_score", "decimal(5,2)").alias("average_post_score"),
        F.min("post_id").alias("first_post_id"),
        F.max("post_id").alias("last_post_id"),
        F.max("received_at").alias("last_post_received_at"),
    )


def _average(name: str, type_: str) -> Column:
    exact = F.sum(name).cast("decimal(18,0)") / F.count("*").cast("decimal(18,0)")
    return F.round(exact, 2).cast(type_)


if __name__ == "__main__":
    job.main(__file__)
