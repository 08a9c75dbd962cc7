"""Lengths of time in conf: a whole number and a unit, such as ``7 years``."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

# A year is always 365 days and there are no months: what is kept must not depend on the calendar.
_MINUTES = {"year": 365 * 24 * 60, "week": 7 * 24 * 60, "day": 24 * 60, "hour": 60, "minute": 1}
_LONGEST = 1000 * _MINUTES["year"]  # any date less this is still a date
_FORM = re.compile(r"([1-9][0-9]{0,6}) +(year|week|day|hour|minute)s?")
_WRITTEN = ("year", "day", "hour", "minute")  # the units a length is written back in


class Duration(timedelta):
    """A positive length of time in whole minutes; a year is 365 days. Compares and adds as any timedelta."""

    @property
    def hours(self) -> int:
        """The whole length in hours, as VACUUM and Delta's table properties want it."""
        return self.days * 24 + self.seconds // 3600

    def __str__(self) -> str:
        """Return the length in the largest unit that divides it: ``7 years``, ``90 days``, ``36 hours``."""
        minutes = self // timedelta(minutes=1)
        unit = next(unit for unit in _WRITTEN if minutes % _MINUTES[unit] == 0)
        count = minutes // _MINUTES[unit]
        return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def parse_duration(value: object) -> Duration:
    """Return text such as ``7 years`` or ``12 hours`` as a Duration; raise ValueError for anything else."""
    return _parsed(value, _MINUTES["hour"], "7 years, 90 days or 12 hours")


def parse_pause(value: object) -> Duration:
    """Return text such as ``30 minutes`` or ``12 hours`` as a Duration; raise ValueError for anything else."""
    return _parsed(value, _MINUTES["minute"], "30 minutes or 12 hours")


def _parsed(value: object, smallest: int, examples: str) -> Duration:
    if isinstance(value, Duration):
        return value
    form = _FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    minutes = int(form[1]) * _MINUTES[form[2]] if form else 0
    if not 0 < minutes <= _LONGEST or minutes % smallest:
        found = repr(value[:40]) if isinstance(value, str) else type(value).__name__
        raise ValueError(f"found {found}; wanted a length of time such as {examples}")
    return Duration(minutes=minutes)


DurationField = Annotated[Duration, PlainValidator(parse_duration), PlainSerializer(str)]
PauseField = Annotated[Duration, PlainValidator(parse_pause), PlainSerializer(str)]
