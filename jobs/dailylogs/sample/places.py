"""Where logs are written: communities of lots, each lot a house of some model."""

from random import Random
from typing import NamedTuple

_JOBS = 2600  # houses under construction over the years
# County -> its communities; the first have more houses.
_COUNTIES = {
    "Hillsborough": ("Cypress Ridge", "Heron Landing", "Ybor Preserve", "Alafia Woods"),
    "Pasco": ("Starkey Meadows", "Pinewood Reserve", "Angeline Park"),
    "Polk": ("Lakeside Commons", "Citrus Hollow", "Peace River Estates"),
    "Orange": ("Avalon Trace", "Horizon West Village", "Econ Crossing"),
    "Osceola": ("Kissimmee Bend", "St. Cloud Terrace", "Tohopekaliga Shores"),
    "Lake": ("Clermont Heights", "Minneola Hills"),
    "Manatee": ("Parrish Lakes", "Coquina Cove"),
    "Sarasota": ("Wellen Park North", "Cañón del Mar"),
    "Seminole": ("Sanford Oaks",),
    "Volusia": ("DeLand Country Club", "Halifax Plantation"),
}
_WEIGHTS = (24, 16, 14, 12, 10, 7, 6, 5, 3, 3)
_SECTORS = ("Single Family", "Townhome", "Villa", "Active Adult", "Build to Rent")
_SECTOR_WEIGHTS = (58, 18, 9, 9, 6)
_MODELS = ("ASPEN", "BAYSHORE", "CEDAR", "DRAYTON", "ELMWOOD", "FAIRHAVEN", "GULFSTREAM", "HARTFORD", "ISLA", "JUNIPER")


class Job(NamedTuple):
    """A house being built; ``site`` is its community and lot."""

    site_number: str
    jobsite: str
    county: str
    sector: str
    site: str
    permit: str
    parcel: str
    model_code: str


def job_of(number: int, seed: int) -> Job:
    """Return the house that a log is about: one of those that are under construction at its time."""
    at_once = _JOBS // 6
    chance = Random((seed << 40) - number - 1)
    return _job(number * (_JOBS - at_once) // 182_281 + chance.randrange(at_once), seed)


def _job(house: int, seed: int) -> Job:
    chance = Random((seed << 50) + house)
    county = chance.choices(list(_COUNTIES), _WEIGHTS)[0]
    names = _COUNTIES[county]
    jobsite = names[min(int(chance.expovariate(1.1)), len(names) - 1)]
    lot = chance.randrange(1, 420)
    model = f"{chance.choice(_MODELS)}-{chance.randrange(16, 38) * 100}{chance.choice('ABCL')}"
    return Job(
        site_number=f"{100 + list(_COUNTIES).index(county)}{names.index(jobsite)}-{lot:04d}",
        jobsite=jobsite,
        county=county,
        sector=chance.choices(_SECTORS, _SECTOR_WEIGHTS)[0],
        site=f"{jobsite} Lot {lot}",
        permit=f"BLD{chance.randrange(2022, 2026)}-{chance.randrange(10_000, 99_999)}",
        parcel=f"{chance.randrange(1, 37):02d}-{chance.randrange(17, 33)}-{chance.randrange(15, 32)}-"
        f"{chance.randrange(10_000):04d}-{chance.randrange(1000):03d}-{chance.randrange(10_000):04d}",
        model_code=model,
    )
