"""community.gold.user_engagement_metrics: one row per user_id: how much the user's posts move others.

Shares and rates are in percent, rounded half up.
- engagement_rate_pct = 100 x posts with a comment / posts; null without posts
- comments_per_post = comments / posts; null without posts
- post_share_pct, comment_share_pct = 100 x the user's / those of all users; null where nobody has any
- engagement_points = posts and comments received, each times its points in the pipeline's conf
- engagement_rank = place by points, from 1; equal points share a place and the next is left out
- engagement_tier = high or medium from that tier's least points on, low below, none without any
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("community.gold.user_analytics_summary",),
    key=("user_id",),
    columns={
        "user_id": ("bigint", "the user"),
        "username": ("string", "what the user is called in the community"),
        "posts": ("bigint", "posts the user wrote"),
        "comments": ("bigint", "comments on them"),
        "engagement_rate_pct": ("decimal(5,2)", "posts with a comment of the user's posts"),
        "comments_per_post": ("decimal(12,4)", "comments a post"),
        "post_share_pct": ("decimal(5,2)", "the user's share of all users' posts"),
        "comment_share_pct": ("decimal(5,2)", "the user's share of all comments that users received"),
        "engagement_points": ("bigint", "posts and comments, each times its points"),
        "engagement_rank": ("int", "place by points among all users"),
        "engagement_tier": ("string", "high, medium, low or none, by points"),
    },
)


@table.transform
def user_engagement_metrics(
    summary: DataFrame, *, engagement_points: Mapping[str, int], engagement_tiers: Mapping[str, int]
) -> DataFrame:
    """Derive rates, shares, rank and tier from a user's counts."""
    everybody = Window.partitionBy()
    points = F.col("posts") * engagement_points["post"] + F.col("comments") * engagement_points["comment"]
    return (
        summary.withColumns(
            {
                "engagement_rate_pct": _percent("commented_posts", F.col("posts")),
                "comments_per_post": _ratio(F.col("comments"), F.col("posts"), 4).cast("decimal(12,4)"),
                "post_share_pct": _percent("posts", F.sum("posts").over(everybody)),
                "comment_share_pct": _percent("comments", F.sum("comments").over(everybody)),
                "engagement_points": points.cast("bigint"),
            }
        )
        .withColumns(
            {
                "engagement_rank": F.rank().over(everybody.orderBy(F.desc("engagement_points"))),
                "engagement_tier": _tier(engagement_tiers),
            }
        )
        .select(*table.columns)
    )


def _tier(least_points: Mapping[str, int]) -> Column:
    points = F.col("engagement_points")
    reached = [F.when(points >= least_points[tier], F.lit(tier)) for tier in ("high", "medium")]
    return F.when(points == 0, F.lit("none")).otherwise(F.coalesce(*reached, F.lit("low")))


def _percent(name: str, whole: Column) -> Column:
    return _ratio(F.col(name) * 100, whole, 2).cast("decimal(5,2)")


def _ratio(part: Column, whole: Column, places: int) -> Column:
    return F.round(F.try_divide(part.cast("decimal(18,0)"), whole.cast("decimal(18,0)")), places)


if __name__ == "__main__":
    job.main(__file__)
