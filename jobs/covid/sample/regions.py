"""The regions of the sample: where they are, and what they were called early and late."""

from typing import NamedTuple


class Region(NamedTuple):
    """A place of which reports have a line; ``early`` is what early layouts called its country and province."""

    country: str
    province: str
    county: str
    fips: str
    latitude: float
    longitude: float
    early: tuple[str, str]


REGIONS = (
    Region("China", "Hubei", "", "", 30.9756, 112.2707, ("Mainland China", "Hubei")),
    Region("China", "Zhejiang", "", "", 29.1832, 120.0934, ("Mainland China", "Zhejiang")),
    Region("China", "Hong Kong", "", "", 22.3, 114.2, ("Hong Kong", "Hong Kong")),
    Region("Korea, South", "", "", "", 35.9078, 127.7669, ("Republic of Korea", "")),
    Region("Iran", "", "", "", 32.4279, 53.688, ("Iran (Islamic Republic of)", "")),
    Region("Italy", "", "", "", 41.8719, 12.5674, ("Italy", "")),
    Region("Taiwan*", "", "", "", 23.7, 121.0, ("Taiwan", "Taiwan")),
    Region("United Kingdom", "", "", "", 55.3781, -3.436, ("UK", "")),
    Region("France", "", "", "", 46.2276, 2.2137, ("France", "France")),
    Region("France", "Guadeloupe", "", "", 16.265, -61.551, ("Guadeloupe", "")),
    Region("Diamond Princess", "", "", "", 0.0, 0.0, ("Others", "Diamond Princess cruise ship")),
    Region("US", "Alabama", "Autauga", "01001", 32.53952745000001, -86.64408227, ("US", "Autauga, AL")),
    Region("US", "New York", "New York City", "36061", 40.7672726, -73.97152637, ("US", "New York City, NY")),
    Region("US", "Guam", "", "66", 13.4443, 144.7937, ("US", "Guam")),
)
# Made up, but for the codes.
_POPULATIONS = {
    "China": ("CN", "CHN", 156, 1_400_000_000),
    "Korea, South": ("KR", "KOR", 410, 51_000_000),
    "Iran": ("IR", "IRN", 364, 84_000_000),
    "Italy": ("IT", "ITA", 380, 60_000_000),
    "Taiwan*": ("TW", "TWN", 158, 23_500_000),
    "United Kingdom": ("GB", "GBR", 826, 67_000_000),
    "France": ("FR", "FRA", 250, 65_000_000),
    "Diamond Princess": ("", "", "", ""),
    "US": ("US", "USA", 840, 330_000_000),
}
# As lines of the lookup table: whole countries, then a province and a county.
PLACES = [
    *[
        (number, iso2, iso3, code, "", "", "", country, "", "", country, population)
        for number, (country, (iso2, iso3, code, population)) in enumerate(_POPULATIONS.items(), start=1)
    ],
    (344, "HK", "HKG", 344, "", "", "Hong Kong", "China", 22.3, 114.2, "Hong Kong, China", 7_500_000),
    (84001001, "US", "USA", 840, "1001", "Autauga", "Alabama", "US", 32.5395, -86.6441, "Autauga, Alabama, US", 56_000),
]
