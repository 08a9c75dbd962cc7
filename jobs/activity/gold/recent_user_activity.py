"""activity.gold.recent_user_activity: one row per user and day, of the last `recent_days` days up to the run's date.

The run's date itself is the last of them, though it may not be over; what happened later is left out.
"""

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("activity.gold.daily_user_activity",),
    key=("user_id", "event_date"),
    columns={
        "user_id": ("string", "the user"),
        "event_date": ("date", "the day in the pipeline's zone"),
        "events": ("bigint", "events on that day"),
        "event_types": ("bigint", "different types of them"),
        "first_at": ("timestamp", "the first of them, UTC"),
        "last_at": ("timestamp", "the last of them, UTC"),
    },
)


@table.transform
def recent_user_activity(days: DataFrame, *, run_date: dt.date, recent_days: int) -> DataFrame:
    """Keep the days that count as recent."""
    first = run_date - dt.timedelta(days=recent_days - 1)
    return days.where(F.col("event_date").between(F.lit(first), F.lit(run_date))).select(*table.columns)


if __name__ == "__main__":
    job.main(__file__)
