"""shop.bronze.products: one row per line of each product extract, exactly as delivered.

Source: the catalogue's full extract as CSV, a snapshot: the same line in a later extract is a record of its
own.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="products")

if __name__ == "__main__":
    job.main(__file__)
