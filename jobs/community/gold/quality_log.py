"""community.gold.quality_log: one row per entity (users, posts, comments) and day of delivery: how good its rows are.

It speaks of rows as they stand: one that is delivered anew counts on its new day. What is in quarantine is in no
day here. A part is missed by a row that has less than 100 in it; how each is computed: jobs/community/quality.py.
- average_score = sum of scores / rows, rounded half up
"""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.community.quality import PARTS
from medallion import job
from medallion.tables import Derived

GRADES = ("A", "B", "C", "D")
COUNTED = {"completeness": "incomplete_rows", "validity": "invalid_rows", "consistency": "inconsistent_rows"}

table = Derived(
    reads=("community.silver.users", "community.silver.posts", "community.silver.comments"),
    key=("entity", "delivered_on"),
    columns={
        "entity": ("string", "users, posts or comments"),
        "delivered_on": ("date", "day on which the rows were delivered, in the pipeline's zone"),
        "rows": ("bigint", "rows delivered on that day that still stand"),
        "average_score": ("decimal(5,2)", "their quality score, 0 to 100"),
        "min_score": ("int", "the least of them"),
        **{f"grade_{grade.lower()}_rows": ("bigint", f"rows of grade {grade}") for grade in GRADES},
        "incomplete_rows": ("bigint", "rows that lack a field"),
        "invalid_rows": ("bigint", "rows with a field that has not its form"),
        "inconsistent_rows": ("bigint", "rows that break a rule between fields"),
    },
)


@table.transform
def quality_log(users: DataFrame, posts: DataFrame, comments: DataFrame, *, zone: str) -> DataFrame:
    """Count rows and what they miss, a day and entity."""
    day = F.to_date(F.from_utc_timestamp("received_at", zone)).alias("delivered_on")
    named = {"users": users, "posts": posts, "comments": comments}
    scored = [
        rows.select(F.lit(entity).alias("entity"), day, *PARTS, "quality_score", "quality_grade")
        for entity, rows in named.items()
    ]
    return (
        reduce(DataFrame.unionByName, scored)
        .groupBy("entity", "delivered_on")
        .agg(
            F.count("*").alias("rows"),
            _average_score().alias("average_score"),
            F.min("quality_score").alias("min_score"),
            *[F.count_if(F.col("quality_grade") == grade).alias(f"grade_{grade.lower()}_rows") for grade in GRADES],
            *[F.count_if(F.col(part) < 100).alias(name) for part, name in COUNTED.items()],
        )
        .select(*table.columns)
    )


def _average_score() -> Column:
    exact = F.sum("quality_score").cast("decimal(18,0)") / F.count("*").cast("decimal(18,0)")
    return F.round(exact, 2).cast("decimal(5,2)")


if __name__ == "__main__":
    job.main(__file__)
