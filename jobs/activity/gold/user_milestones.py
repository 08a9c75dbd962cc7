"""activity.gold.user_milestones: one row per user, with when each step of the funnel was first done."""

from medallion import job
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="activity.silver.events",
    dimensions={"user_id": "user_id"},
    measures={
        "first_seen_on": Measure("min", "event_date"),
        "signed_up_at": Measure("min", "occurred_at", "event_type = 'signup'"),
        "activated_at": Measure("min", "occurred_at", "event_type = 'activate'"),
        "purchased_at": Measure("min", "occurred_at", "event_type = 'purchase'"),
    },
    columns={
        "user_id": ("string", "the user"),
        "first_seen_on": ("date", "day of the first event of any type, in the pipeline's zone"),
        "signed_up_at": ("timestamp", "first signup, UTC; null without one"),
        "activated_at": ("timestamp", "first activation, UTC; null without one"),
        "purchased_at": ("timestamp", "first purchase, UTC; null without one"),
    },
)


if __name__ == "__main__":
    job.main(__file__)
