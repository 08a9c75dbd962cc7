"""community.bronze.comments: one row per delivered version of a comment, exactly as the service gave it."""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="comments")

if __name__ == "__main__":
    job.main(__file__)
