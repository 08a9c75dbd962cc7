"""covid.bronze.country_series: one row per country and day of each extract, as delivered.

Source: `countries-aggregated_YYYY-MM-DD.csv`, the counts of all countries from the first day on, as they were believed
to be when it was published: https://github.com/datasets/covid-19, public domain, made of the Center's time series.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="country_series")

if __name__ == "__main__":
    job.main(__file__)
