"""activity.gold.signup_funnel: one row per ISO week of signup (from Monday) and step of the funnel.

A user is in a step who did it and all steps before it, each not before the one before, and this one within
`funnel_days` of the signup. Who never signed up is in no week. Weeks are of UTC.
- share_of_signups_pct = 100 x users / users who signed up in that week
- share_of_step_before_pct = 100 x users / users in the step before; null where that has none, 100 for the first
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

STEPS = ("signed_up", "activated", "purchased")

table = Derived(
    reads=("activity.gold.user_milestones",),
    key=("signup_week", "step"),
    partition={"signup_week": "cast(date_trunc('week', signed_up_at) as date)"},
    columns={
        "signup_week": ("date", "Monday of the week of signup"),
        "step": ("string", "signed_up, activated or purchased"),
        "step_number": ("int", "place of the step in the funnel, from 1"),
        "users": ("bigint", "users of that week who came as far"),
        "share_of_signups_pct": ("decimal(5,2)", "of those who signed up that week, in percent"),
        "share_of_step_before_pct": ("decimal(5,2)", "of those in the step before, in percent"),
    },
)


@table.transform
def signup_funnel(milestones: DataFrame, *, funnel_days: int) -> DataFrame:
    """Count who came how far."""
    until = F.col("signed_up_at") + F.make_dt_interval(F.lit(funnel_days))
    activated = F.col("activated_at").between(F.col("signed_up_at"), until)
    purchased = activated & F.col("purchased_at").between(F.col("activated_at"), until)
    reached = (F.lit(True), activated, purchased)
    steps = [
        F.struct(
            F.lit(number).alias("step_number"), F.lit(step).alias("step"), F.coalesce(met, F.lit(False)).alias("met")
        )
        for number, (step, met) in enumerate(zip(STEPS, reached, strict=True), start=1)
    ]
    return (
        milestones.where("signed_up_at IS NOT NULL")
        .select(F.date_trunc("week", "signed_up_at").cast("date").alias("signup_week"), F.inline(F.array(*steps)))
        .groupBy("signup_week", "step", "step_number")
        .agg(F.count_if("met").alias("users"))
        .transform(_with_shares)
        .select(*table.columns)
    )


def _with_shares(counted: DataFrame) -> DataFrame:
    week = Window.partitionBy("signup_week").orderBy("step_number")
    before = F.coalesce(F.lag("users").over(week), F.col("users"))
    return counted.withColumns(
        {
            "share_of_signups_pct": _percent(F.first("users").over(week)),
            "share_of_step_before_pct": _percent(before),
        }
    )


def _percent(whole: Column) -> Column:
    return F.round(F.try_divide(F.col("users") * 100, whole), 2).cast("decimal(5,2)")


if __name__ == "__main__":
    job.main(__file__)
