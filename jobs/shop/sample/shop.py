"""Size and seed of a sample shop: the two facts that all of its data follows from."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from zlib import crc32
from zoneinfo import ZoneInfo

# A Saturday, so that Friday's rate can be missing for orders of a day that has none of its own.
DAY_0 = date(2026, 1, 31)
HISTORY_DAYS = 180
FIRST_ORDER_ID = 1_000_001

_ZONE = ZoneInfo("Europe/Berlin")
_GROWTH = 0.8  # below 1: the shop sold less half a year ago than it does today


@dataclass(frozen=True)
class Shop:
    """A shop of so many orders up to and with day 0; each further day adds a tenth of them.

    Every order depends on the seed and its own number only, so any day is made without the ones before.
    """

    orders: int
    seed: int

    def numbers(self, day: int) -> range:
        """Return the numbers of the orders that are new on a day; day 0 is the whole history."""
        if day == 0:
            return range(self.orders)
        start = self.orders + (day - 1) * self._daily
        return range(start, start + self._daily)

    def day_of(self, number: int) -> int:
        """Return the day on which an order is new."""
        return 0 if number < self.orders else 1 + (number - self.orders) // self._daily

    def date_of(self, number: int) -> date:
        """Return the date of an order, in the shop's zone; later numbers are never earlier."""
        day = self.day_of(number)
        if day > 0:
            return date_of_day(day)
        share = (number + 0.5) / self.orders
        return DAY_0 - timedelta(days=HISTORY_DAYS - 1 - int(HISTORY_DAYS * share**_GROWTH))

    def customers(self, day: int) -> int:
        """Return how many customers the extract of a day holds."""
        start = max(80, self.orders // 4)
        return start + day * (start // 20)

    def products(self, day: int) -> int:
        """Return how many products the extract of a day holds; a few are added each day, most on day 1."""
        return min(1000, max(40, self.orders // 25)) + (3 + day if day else 0)

    def changed_on(self, what: str, number: int, day: int, every: int) -> int:
        """Return the last day, up to the given one, on which a thing changed; 0 where none did.

        Each thing changes once in so many days, and on a day of its own.
        """
        since = (day - self.chance(f"change of {what}", number)) % every
        return max(0, day - since)

    def rng(self, number: int, version: int = 0) -> Random:
        """Return the source of chance for one version of one order."""
        return Random((self.seed << 64) + (number << 16) + version)

    def chance(self, what: str, number: int) -> int:
        """Return a number below 2**32 that is always the same for one thing of this shop."""
        return crc32(f"{self.seed}/{what}/{number}".encode())

    @property
    def _daily(self) -> int:
        return max(1, self.orders // 10)


def date_of_day(day: int) -> date:
    """Return the date of a day's deliveries."""
    return DAY_0 + timedelta(days=day)


def moment(on: date, seconds: int) -> datetime:
    """Return a time of day in the shop's zone."""
    return datetime(on.year, on.month, on.day, tzinfo=_ZONE) + timedelta(seconds=seconds)


def iso_utc(at: datetime) -> str:
    """Return a moment as ISO 8601 text in UTC: 2026-01-05T09:11:12Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def money(cents: int) -> str:
    """Return cents as text with two decimals."""
    return f"{cents // 100}.{cents % 100:02d}"
