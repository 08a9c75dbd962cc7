"""community.bronze.posts: one row per delivered version of a post, exactly as the service gave it."""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="posts")

if __name__ == "__main__":
    job.main(__file__)
