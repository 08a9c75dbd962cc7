"""community.silver.comments: one row per comment_id, as the service last gave the comment.

Who comments is known by e-mail only; it need not be a user's.
"""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.community.quality import COLUMNS, Wanted, with_quality
from jobs.community.words import EMAIL, domain_of, length_of, words_in
from medallion import job
from medallion.parse import field, problems, unreadable, whole_number
from medallion.tables import CARRIED, Silver

COMMENT = "id string, postId string, name string, email string, body string"

WANTED = Wanted(
    fields=("post_id", "title", "email", "body"),
    forms={"email": f"email RLIKE r'{EMAIL}'", "body": "body_words >= 2"},
    rules=("title <> body", "length(title) <= length(body)"),
)

table = Silver(
    reads="community.bronze.comments",
    key=("comment_id",),
    sequence=("_delivery", "_position"),
    personal=("email",),
    columns={
        "comment_id": ("bigint", "the service's id of the comment"),
        "post_id": ("bigint", "the post it is on"),
        "title": ("string", "its title, which the service calls name; trimmed"),
        "email": ("string", "of who wrote it, trimmed and lower-cased"),
        "email_domain": ("string", "what follows the @; null where the e-mail is none"),
        "body": ("string", "trimmed; null where blank"),
        "body_length": ("int", "characters of the body"),
        "body_words": ("int", "words of the body"),
        **COLUMNS,
        "received_at": ("timestamp", "when this version was published in landing, UTC"),
    },
)


@table.transform
def comments(
    versions: DataFrame, *, quality_weights: Mapping[str, int], quality_grades: Mapping[str, int]
) -> DataFrame:
    """Read each version of a comment, measure and score it."""
    email, body = F.lower(field("comment.email")), field("comment.body")
    return (
        versions.withColumn("comment", F.from_json("payload", COMMENT))
        .withColumns(
            {
                "comment_id": whole_number(field("comment.id")),
                "post_id": whole_number(field("comment.postId")),
                "title": field("comment.name"),
                "email": email,
                "email_domain": domain_of(email),
                "body": body,
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
                unreadable("id", field("comment.id"), F.col("comment_id")),
                unreadable("postId", field("comment.postId"), F.col("post_id")),
            ),
        )
    )


if __name__ == "__main__":
    job.main(__file__)
