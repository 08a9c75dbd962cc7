"""shop.bronze.exchange_rates: one row per day of each rate file, exactly as delivered.

Source: https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip, the European Central Bank's reference
rates since 1999 as CSV, updated around 16:00 CET on working days; a snapshot, since rates are restated.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="exchange_rates")

if __name__ == "__main__":
    job.main(__file__)
