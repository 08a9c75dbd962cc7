"""The one door to time: everything that must know "now" asks here, so that a run can be set to any moment."""

import os
from datetime import UTC, date, datetime
from secrets import token_hex

from medallion.errors import ConfError

NOW = "MEDALLION_NOW"


def now() -> datetime:
    """Return the moment in UTC; MEDALLION_NOW, an ISO 8601 instant with an offset, holds it still."""
    fixed = os.environ.get(NOW)
    return _instant(fixed) if fixed else datetime.now(UTC)


def stamp() -> str:
    """Return the moment as ISO 8601 text in UTC, to the millisecond."""
    return now().isoformat(timespec="milliseconds")


def seconds_since(moment: float) -> float:
    """Return how many seconds ago something happened, by the machine's own clock, which also dated it."""
    return datetime.now(UTC).timestamp() - moment


def milliseconds() -> int:
    """Return the milliseconds since 1970 by the machine's own clock, which also dates commits."""
    return int(datetime.now(UTC).timestamp() * 1000)


def run_date() -> date:
    """Return the UTC date of `now`: the declared input of tables in which time moves by itself."""
    return now().date()


def new_run_id() -> str:
    """Return an id that sorts by the moment it was made, such as ``20260131T060000123456Z-1a2b3c4d``.

    Ids of the same microsecond differ, in no particular order.
    """
    moment = now().replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{moment.translate(str.maketrans('', '', '-:.'))}Z-{token_hex(4)}"


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: an offset that leaves the years 1 to 9999
        pass
    raise ConfError(f"{NOW}: found {text!r}; wanted an instant with offset, as in 2026-01-31T06:00:00+00:00")
