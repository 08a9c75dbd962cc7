"""activity.gold.daily_user_activity: one row per user and day on which the user did something; all days are kept.

Types are counted within a day: they do not add up over days. The last 30 days are `recent_user_activity`.
"""

from medallion import job
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="activity.silver.events",
    dimensions={"user_id": "user_id", "event_date": "event_date"},
    measures={
        "events": Measure("count"),
        "event_types": Measure("count_distinct", "event_type"),
        "first_at": Measure("min", "occurred_at"),
        "last_at": Measure("max", "occurred_at"),
    },
    columns={
        "user_id": ("string", "the user"),
        "event_date": ("date", "the day in the pipeline's zone"),
        "events": ("bigint", "events on that day"),
        "event_types": ("bigint", "different types of them"),
        "first_at": ("timestamp", "the first of them, UTC"),
        "last_at": ("timestamp", "the last of them, UTC"),
    },
)


if __name__ == "__main__":
    job.main(__file__)
