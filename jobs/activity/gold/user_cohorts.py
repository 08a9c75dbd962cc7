"""activity.gold.user_cohorts: one row per cohort (ISO week of a user's first event) and week since, with who came back.

Weeks begin on Monday, in the pipeline's zone; week 0 is the cohort's own, in which all of it was active. Only weeks
in which somebody of the cohort was active have a row. retention_pct = 100 x active users / size of the cohort.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("activity.gold.daily_user_activity",),
    key=("cohort_week", "weeks_since"),
    columns={
        "cohort_week": ("date", "Monday of the week of the first event"),
        "weeks_since": ("int", "weeks from there, from 0"),
        "cohort_size": ("bigint", "users in the cohort"),
        "active_users": ("bigint", "of them, users with an event in that week"),
        "retention_pct": ("decimal(5,2)", "the latter of the former, in percent"),
    },
)


@table.transform
def user_cohorts(days: DataFrame) -> DataFrame:
    """Count each cohort's active users week by week."""
    weeks = days.select("user_id", F.date_trunc("week", "event_date").cast("date").alias("week")).distinct()
    since = (F.date_diff("week", "cohort_week") / 7).cast("int")
    return (
        weeks.withColumn("cohort_week", F.min("week").over(Window.partitionBy("user_id")))
        .groupBy("cohort_week", since.alias("weeks_since"))
        .agg(F.count("*").alias("active_users"))
        .withColumn("cohort_size", F.max("active_users").over(Window.partitionBy("cohort_week")))
        .withColumn(
            "retention_pct",
            F.round(F.try_divide(F.col("active_users") * 100, F.col("cohort_size")), 2).cast("decimal(5,2)"),
        )
        .select(*table.columns)
    )


if __name__ == "__main__":
    job.main(__file__)
