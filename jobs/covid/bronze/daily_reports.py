"""covid.bronze.daily_reports: one row per line of a daily report, as delivered; of a report that comes again, only
the lines that changed.

Source: the daily reports of the Center for Systems Science and Engineering at Johns Hopkins University, one file a day,
`MM-DD-YYYY.csv`: https://github.com/CSSEGISandData/COVID-19, CC BY 4.0. The file's name alone says which day it is of.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="daily_reports")

if __name__ == "__main__":
    job.main(__file__)
