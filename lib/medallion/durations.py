"""Lengths of time in conf: a whole number and a unit, such as ``7 years``."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

# A year is always 365 days and there are no months: what is kept must not depend on the calendar.
_HOURS = {"year": 365 * 24, "week": 7 * 24, "day": 24, "hour": 1}
_LONGEST_HOURS = 1000 * _HOURS["year"]  # any date less this is still a date
_FORM = re.compile(r"([1-9][0-9]{0,6}) +(year|week|day|hour)s?")
_WRITTEN = ("year", "day", "hour")  # the units a length is written back in


class Duration(timedelta):
    """A positive length of time in whole hours; a year is 365 days. Compares and adds as any timedelta."""

    @property
    def hours(self) -> int:
        """The whole length in hours, as VACUUM and Delta's table properties want it."""
        return self.days * 24 + self.seconds // 3600

    def __str__(self) -> str:
        """Return the length in the largest unit that divides it: ``7 years``, ``90 days``, ``36 hours``."""
        unit = next(unit for unit in _WRITTEN if self.hours % _HOURS[unit] == 0)
        count = self.hours // _HOURS[unit]
        return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def parse_duration(value: object) -> Duration:
    """Return text such as ``7 years`` or ``12 hours`` as a Duration; raise ValueError for anything else."""
    if isinstance(value, Duration):
        return value
    form = _FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    hours = int(form[1]) * _HOURS[form[2]] if form else 0
    if not 0 < hours <= _LONGEST_HOURS:
        found = repr(value[:40]) if isinstance(value, str) else type(value).__name__
        raise ValueError(f"found {found}; wanted a length of time such as 7 years, 90 days or 12 hours")
    return Duration(hours=hours)


DurationField = Annotated[Duration, PlainValidator(parse_duration), PlainSerializer(str)]
