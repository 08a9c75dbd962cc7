"""When something runs by itself: a cron line in a time zone."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from medallion.conf.model import Strict


class Schedule(Strict):
    """A cron line of five fields, read in a time zone."""

    cron: str = Field(description="a cron line of five fields, such as 0 6 * * *")
    zone: str = Field(description="an IANA time zone, such as UTC or Europe/Vienna")

    @field_validator("cron")
    @classmethod
    def _comes(cls, cron: str) -> str:
        from cronsim import CronSim, CronSimError  # only who has a schedule pays for it

        problem = f"found {cron[:40]!r}; wanted a cron line of five fields, such as 0 6 * * *"
        if len(cron.split()) != 5 or len(cron) > 200 or not cron.isascii():
            raise ValueError(problem)
        try:
            next(CronSim(cron, datetime(2024, 1, 1)))
        except (CronSimError, StopIteration):  # the latter: a day that never comes
            raise ValueError(problem) from None
        return cron

    @field_validator("zone")
    @classmethod
    def _exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as Europe
            raise ValueError(f"found {zone[:40]!r}; wanted an IANA time zone such as Europe/Vienna") from None
        return zone
