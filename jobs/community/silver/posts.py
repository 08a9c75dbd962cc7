"""community.silver.posts: one row per post_id, as the service last gave the post.

Lengths count characters, words are what white space parts; of a text that is not there both are 0.
"""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.community.quality import COLUMNS, Wanted, with_quality
from jobs.community.words import length_of, words_in
from medallion import job
from medallion.parse import field, problems, unreadable, whole_number
from medallion.tables import CARRIED, Silver

POST = "id string, userId string, title string, body string"

WANTED = Wanted(
    fields=("user_id", "title", "body"),
    forms={"title": "length(title) <= 200 AND title NOT LIKE '%\n%'", "body": "body_words >= 2"},
    rules=("title <> body", "length(title) <= length(body)"),
)

table = Silver(
    reads="community.bronze.posts",
    key=("post_id",),
    sequence=("_delivery", "_position"),
    personal=("user_id",),
    columns={
        "post_id": ("bigint", "the service's id of the post"),
        "user_id": ("bigint", "who wrote it"),
        "title": ("string", "trimmed; null where blank"),
        "body": ("string", "trimmed; null where blank"),
        "title_length": ("int", "characters of the title"),
        "title_words": ("int", "words of the title"),
        "body_length": ("int", "characters of the body"),
        "body_words": ("int", "words of the body"),
        **COLUMNS,
        "received_at": ("timestamp", "when this version was published in landing, UTC"),
    },
)


@table.transform
def posts(versions: DataFrame, *, quality_weights: Mapping[str, int], quality_grades: Mapping[str, int]) -> DataFrame:
    """Read each version of a post, measure and score it."""
    title, body = field("post.title"), field("post.body")
    return (
        versions.withColumn("post", F.from_json("payload", POST))
        .withColumns(
            {
                "post_id": whole_number(field("post.id")),
                "user_id": whole_number(field("post.userId")),
                "title": title,
                "body": body,
                "title_length": length_of(title),
                "title_words": words_in(title),
                "body_length": length_of(body),
                "body_words": words_in(body),
                "received_at": F.col("_received_at"),
            }
        )
        .transform(with_quality, WANTED, quality_weights, quality_grades)
        .select(
            *table.columns,
            *CARRIED,
            problems(
                unreadable("id", field("post.id"), F.col("post_id")),
                unreadable("userId", field("post.userId"), F.col("user_id")),
            ),
        )
    )


if __name__ == "__main__":
    job.main(__file__)
