"""community.gold.post_activity: one row per post_id, with the comments it received."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Mart

table = Mart(
    driving="community.silver.posts",
    key=("post_id",),
    children={"community.silver.comments": "post_id"},
    columns={
        "post_id": ("bigint", "the post"),
        "user_id": ("bigint", "who wrote it"),
        "title_length": ("int", "characters of its title"),
        "body_length": ("int", "characters of its body"),
        "body_words": ("int", "words of its body"),
        "quality_score": ("int", "of the post itself, 0 to 100"),
        "comments": ("bigint", "comments on it"),
        "commenters": ("bigint", "different e-mail addresses among them"),
        "comment_words": ("bigint", "words of their bodies"),
        "received_at": ("timestamp", "when the post's version was published in landing, UTC"),
    },
)


@table.transform
def post_activity(posts: DataFrame, comments: DataFrame) -> DataFrame:
    """Bring each post together with the sums of its comments."""
    sums = comments.groupBy("post_id").agg(
        F.count("*").alias("comments"),
        F.count_distinct("email").alias("commenters"),
        F.sum("body_words").alias("comment_words"),
    )
    counted = [F.coalesce(F.col(name), F.lit(0)).cast("bigint").alias(name) for name in sums.columns[1:]]
    return posts.join(sums, on="post_id", how="left").select(
        "post_id", "user_id", "title_length", "body_length", "body_words", "quality_score", *counted, "received_at"
    )


if __name__ == "__main__":
    job.main(__file__)
