"""How places are named: one name for each country, whatever a source called it at the time.

Names follow the Center's later reports. `SPELLINGS` are other names of a country; `TERRITORIES` are parts of a country
that reports named as if they were one. A name that is in neither stays as it is, without outer blanks.
"""

from collections.abc import Mapping
from itertools import chain

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.parse import blank_to_null

SPELLINGS = {
    "Bahamas, The": "Bahamas",
    "The Bahamas": "Bahamas",
    "Cape Verde": "Cabo Verde",
    "Cote d Ivoire": "Cote d'Ivoire",
    "Ivory Coast": "Cote d'Ivoire",
    "Cruise Ship": "Diamond Princess",
    "Others": "Diamond Princess",
    "Czech Republic": "Czechia",
    "East Timor": "Timor-Leste",
    "Gambia, The": "Gambia",
    "The Gambia": "Gambia",
    "Iran (Islamic Republic of)": "Iran",
    "Mainland China": "China",
    "UK": "United Kingdom",
    "Palestine": "West Bank and Gaza",
    "occupied Palestinian territory": "West Bank and Gaza",
    "Republic of Ireland": "Ireland",
    "Republic of Korea": "Korea, South",
    "South Korea": "Korea, South",
    "Republic of Moldova": "Moldova",
    "Republic of the Congo": "Congo (Brazzaville)",
    "Russian Federation": "Russia",
    "Taipei and environs": "Taiwan",
    "Taiwan*": "Taiwan",  # the star is a footnote
    "United States": "US",
    "Vatican City": "Holy See",
    "Viet Nam": "Vietnam",
}
# Name as of a country -> the country it is reported under later, and its name there.
TERRITORIES = {
    "Aruba": ("Netherlands", "Aruba"),
    "Cayman Islands": ("United Kingdom", "Cayman Islands"),
    "Channel Islands": ("United Kingdom", "Channel Islands"),
    "Curacao": ("Netherlands", "Curacao"),
    "Faroe Islands": ("Denmark", "Faroe Islands"),
    "French Guiana": ("France", "French Guiana"),
    "Gibraltar": ("United Kingdom", "Gibraltar"),
    "Greenland": ("Denmark", "Greenland"),
    "Guadeloupe": ("France", "Guadeloupe"),
    "Guam": ("US", "Guam"),
    "Guernsey": ("United Kingdom", "Guernsey"),
    "Hong Kong": ("China", "Hong Kong"),
    "Hong Kong SAR": ("China", "Hong Kong"),
    "Jersey": ("United Kingdom", "Jersey"),
    "Macao SAR": ("China", "Macau"),
    "Macau": ("China", "Macau"),
    "Martinique": ("France", "Martinique"),
    "Mayotte": ("France", "Mayotte"),
    "North Ireland": ("United Kingdom", "Northern Ireland"),
    "Puerto Rico": ("US", "Puerto Rico"),
    "Reunion": ("France", "Reunion"),
    "Saint Barthelemy": ("France", "Saint Barthelemy"),
    "Saint Martin": ("France", "St Martin"),
    "St. Martin": ("France", "St Martin"),
}
PROVINCES = {"Diamond Princess cruise ship": "Diamond Princess", "None": ""}


def country_named(reported: Column) -> Column:
    """Return the one name of a country, null where none is given; a territory stays one, its counts being its own."""
    name = blank_to_null(reported)
    return F.coalesce(_found(SPELLINGS, name), name)


def country_of(reported: Column) -> Column:
    """Return the country that a line of a report is about, which for a territory is the one that it belongs to."""
    belongs_to = {name: country for name, (country, _) in TERRITORIES.items()}
    return F.coalesce(_found(belongs_to, blank_to_null(reported)), country_named(reported))


def province_of(reported: Column, province: Column) -> Column:
    """Return the province that a line is about; '' where it is about the whole country, as when both have one name."""
    country, given = blank_to_null(reported), blank_to_null(province)
    name = F.coalesce(_found(PROVINCES, given), given)
    is_whole = (name == country) | (name == country_of(reported))
    parts = {name: part for name, (_, part) in TERRITORIES.items()}
    return F.coalesce(F.when(is_whole, None).otherwise(name), _found(parts, country), F.lit(""))


def _found(names: Mapping[str, str], name: Column) -> Column:
    """Return what a table says of a name; null where it is not in it."""
    return F.try_element_at(F.create_map(*map(F.lit, chain.from_iterable(names.items()))), name)
