"""dailylogs.silver.dailylogs: one row per job_id, as the database last had it; deleted ones are tombstones.

What was read last counts, whatever `updated_at` says: that is the database's own order. Texts are kept as they are,
blanks and all, for the cache is to show what the table shows.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import problems, unreadable, utc_timestamp
from medallion.tables import CARRIED, Silver

TEXTS = {
    "site_number": "number of the building site",
    "logtitle": "what the log is about",
    "notes": "what was written down",
    "process": "the work in hand",
    "status": "how it stands",
    "phase": "phase of construction",
    "jobsite": "name of the building site",
    "county": "county it is in",
    "sector": "sector of the site",
    "site": "part of the site",
    "permit": "number of the permit",
    "parcel": "number of the parcel",
    "model_code": "model of the house",
}
LOG = ", ".join(f"{name} string" for name in ("_deleted", "job_id", *TEXTS, "created_at", "updated_at"))

table = Silver(
    reads="dailylogs.bronze.dailylogs",
    key=("job_id",),
    sequence=("_delivery", "_position"),
    deleted="is_deleted",
    columns={
        "job_id": ("string", "the log's id"),
        **{name: ("string", holds) for name, holds in TEXTS.items()},
        "created_at": ("timestamp", "when it was written, UTC"),
        "updated_at": ("timestamp", "when it was last changed, UTC"),
    },
)


@table.transform
def dailylogs(versions: DataFrame) -> DataFrame:
    """Read each version of a log."""
    created_at, updated_at = (utc_timestamp(F.col(f"log.{name}")) for name in ("created_at", "updated_at"))
    return versions.withColumn("log", F.from_json("payload", LOG)).select(
        F.col("log.job_id").alias("job_id"),
        *[F.col(f"log.{name}").alias(name) for name in TEXTS],
        created_at.alias("created_at"),
        updated_at.alias("updated_at"),
        F.col("log._deleted").eqNullSafe("true").alias("is_deleted"),
        *CARRIED,
        problems(
            unreadable("created_at", F.col("log.created_at"), created_at),
            unreadable("updated_at", F.col("log.updated_at"), updated_at),
        ),
    )


if __name__ == "__main__":
    job.main(__file__)
