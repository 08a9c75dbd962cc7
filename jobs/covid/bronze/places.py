"""covid.bronze.places: one row per place of the lookup table that changed since the one before, as delivered.

Source: `UID_ISO_FIPS_LookUp_Table.csv`, countries, provinces and counties with their codes and populations:
https://github.com/CSSEGISandData/COVID-19, CC BY 4.0.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="places")

if __name__ == "__main__":
    job.main(__file__)
