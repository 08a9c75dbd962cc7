"""How many there were: cumulative counts that follow from the seed, the region, the day and when they were reported."""

import hashlib
from functools import cache

from jobs.covid.sample.regions import REGIONS, Region

__all__ = ["COUNTRIES", "REGIONS", "of_country", "reported"]

COUNTRIES = tuple(dict.fromkeys(region.country for region in REGIONS))
# Of five counts one is reported too low on its own day, and one for three days.
_LOW_FOR = {0: 1, 1: 3}

Counts = tuple[int, int, int]  # confirmed, recovered, deaths


def reported(region: Region, age: int, published: int, seed: int) -> Counts:
    """Return a region's counts on a day, as they were reported on another; both are days since the first report."""
    confirmed = _so_far(region, age, seed)
    if published - age < _LOW_FOR.get(_chance(seed, "low", region, age) % 5, 0):
        confirmed -= confirmed // 10
    return confirmed, confirmed * max(0, age - 10) // 120, confirmed // 40


def of_country(country: str, age: int, published: int, seed: int) -> Counts:
    """Return what the regions of a country add up to."""
    counts = [reported(region, age, published, seed) for region in REGIONS if region.country == country]
    confirmed, recovered, deaths = (sum(values) for values in zip(*counts, strict=True))
    return confirmed, recovered, deaths


@cache
def _so_far(region: Region, age: int, seed: int) -> int:
    if age < 0:
        return 0
    began = _chance(seed, "began", region) % 15
    wave = max(0, 30 - abs(age - began - 20)) * (1 + _chance(seed, "size", region) % 20)
    new = wave * (80 + _chance(seed, "new", region, age) % 40) // 100 if age >= began else 0
    return _so_far(region, age - 1, seed) + new


def _chance(*parts: object) -> int:
    """Return a number that looks random and follows from its parts alone."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=4).digest())
