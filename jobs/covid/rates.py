"""Formulas that more than one table of figures uses; exact decimals, rounded half up once, at the end."""

from collections.abc import Sequence

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

DAYS_A_WEEK = 7
AVERAGE = "decimal(22,4)"
PERCENT = "decimal(12,4)"
# Wide enough for any count, narrow enough for Spark to divide by without losing digits.
EXACT = "decimal(18,0)"


def percent(part: str, whole: str) -> Column:
    """Return 100 x part / whole; null where the whole is 0 or either is unknown."""
    return F.try_divide(F.col(part).cast(EXACT) * 100, F.col(whole).cast(EXACT)).try_cast(PERCENT)


def week_average(new: str, partition: Sequence[str] = ()) -> Column:
    """Return what came a day over the seven days up to and with a row's `day`: the new ones / the days they came in.

    ``new`` came in the `days_since` days up to the row, whose number counts with it: after a gap the average does not
    jump. At the start of a series there are fewer than seven. Null where nothing is known of any.
    """
    week = Window.partitionBy(*partition).orderBy(F.unix_date("day")).rangeBetween(1 - DAYS_A_WEEK, 0)
    came = F.sum(new).over(week).cast(EXACT)
    in_days = F.sum(F.when(F.col(new).isNotNull(), F.col("days_since"))).over(week)
    return F.try_divide(came, in_days.cast(EXACT)).try_cast(AVERAGE)
