"""dailylogs.bronze.dailylogs: one row per version of a log that was read from the database, as JSON.

Source: the table `dailylogs` of PostgreSQL. A log that stands as it did is not read into it again; one that is gone
there leaves a mark.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="dailylogs")

if __name__ == "__main__":
    job.main(__file__)
