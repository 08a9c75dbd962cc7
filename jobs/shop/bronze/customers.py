"""shop.bronze.customers: one row per line of each customer extract, exactly as delivered.

Source: the CRM's full extract as CSV, a snapshot: the same line in a later extract is a record of its own.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="customers")

if __name__ == "__main__":
    job.main(__file__)
