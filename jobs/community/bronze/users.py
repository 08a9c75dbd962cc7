"""community.bronze.users: one row per delivered version of a user, exactly as the service gave it."""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="users")

if __name__ == "__main__":
    job.main(__file__)
