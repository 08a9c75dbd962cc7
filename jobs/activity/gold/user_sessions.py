"""activity.gold.user_sessions: one row per session of a user: events with no pause longer than the pipeline's.

A session begins with an event that comes more than `session_minutes` after the one before it of the same user. A
session that goes over midnight is one session, of the day on which it began.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("activity.silver.events",),
    key=("user_id", "session_number"),
    partition={"user_id": "user_id"},
    columns={
        "user_id": ("string", "the user"),
        "session_number": ("bigint", "the user's sessions counted from 1, the earliest first"),
        "started_at": ("timestamp", "its first event, UTC"),
        "ended_at": ("timestamp", "its last event, UTC"),
        "session_date": ("date", "day on which it began, in the pipeline's zone"),
        "duration_seconds": ("bigint", "from the first event to the last; 0 for a single one"),
        "events": ("bigint", "events in it"),
        "event_types": ("bigint", "different types of them"),
    },
)


@table.transform
def user_sessions(events: DataFrame, *, session_minutes: int) -> DataFrame:
    """Cut each user's events where the pause is too long."""
    of_user = Window.partitionBy("user_id").orderBy("occurred_at", "event_id")
    pause = F.col("occurred_at").cast("double") - F.lag("occurred_at").over(of_user).cast("double")
    begins = F.coalesce(pause > session_minutes * 60, F.lit(True)).cast("bigint")
    numbered = events.withColumn("begins", begins).withColumn("session_number", F.sum("begins").over(of_user))
    return (
        numbered.groupBy("user_id", "session_number")
        .agg(
            F.min("occurred_at").alias("started_at"),
            F.max("occurred_at").alias("ended_at"),
            F.min("event_date").alias("session_date"),
            F.count("*").alias("events"),
            F.count_distinct("event_type").alias("event_types"),
        )
        .withColumn("duration_seconds", F.unix_timestamp("ended_at") - F.unix_timestamp("started_at"))
        .select(*table.columns)
    )


if __name__ == "__main__":
    job.main(__file__)
