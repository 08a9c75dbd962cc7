"""activity.silver.events: one row per event_id, typed; of events that came twice, the one that came last.

`event_type` is trimmed and lower-cased; which types there are is the pipeline's expectation, and one of another type
goes to quarantine with it. A time needs an offset: a zone must not be guessed. A day is a day of the pipeline's zone.
Whole numbers are taken as ids too: `user_id` 7 and "7" are one user.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import field, problems, unreadable, utc_timestamp
from medallion.tables import CARRIED, Silver

EVENT = "event_id string, user_id string, event_type string, occurred_at string, properties string"

table = Silver(
    reads="activity.bronze.events",
    key=("event_id",),
    sequence=("_delivery", "_position"),
    personal=("user_id", "properties"),
    columns={
        "event_id": ("string", "the sender's id of the event, trimmed"),
        "user_id": ("string", "who did it, trimmed"),
        "event_type": ("string", "what was done: trimmed, lower case"),
        "occurred_at": ("timestamp", "when, UTC"),
        "event_date": ("date", "day of it in the pipeline's zone"),
        "received_at": ("timestamp", "when it was published in landing, UTC"),
        "properties": ("string", "whatever else was sent with it, as JSON; null where nothing was"),
    },
)


@table.transform
def events(deliveries: DataFrame, *, zone: str) -> DataFrame:
    """Read each event and type its fields."""
    occurred_at = utc_timestamp(field("sent.occurred_at"))
    return deliveries.withColumn("sent", F.from_json("payload", EVENT)).select(
        field("sent.event_id").alias("event_id"),
        field("sent.user_id").alias("user_id"),
        F.lower(field("sent.event_type")).alias("event_type"),
        occurred_at.alias("occurred_at"),
        F.to_date(F.from_utc_timestamp(occurred_at, zone)).alias("event_date"),
        F.col("_received_at").alias("received_at"),
        F.col("sent.properties").alias("properties"),
        *CARRIED,
        problems(unreadable("occurred_at", field("sent.occurred_at"), occurred_at)),
    )


if __name__ == "__main__":
    job.main(__file__)
