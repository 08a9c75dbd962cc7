"""Customers of the sample shop, where they live, and their daily extract."""

import csv
import io
import unicodedata
from collections import Counter
from datetime import timedelta
from typing import NamedTuple

from jobs.shop.sample.shop import DAY_0, Shop, date_of_day, iso_utc, moment

COLUMNS = ("customer_id", "email", "first_name", "last_name", "segment", "country_code", "updated_at")
SEGMENTS = ("consumer", "small business", "corporate")
# Customers in a hundred; the shop is German.
_SHARES = {"DE": 40, "FR": 12, "NL": 9, "GB": 9, "US": 7, "PL": 6, "AT": 6, "SE": 5, "CH": 3, "IE": 3}
_COUNTRIES = tuple(country for country, share in _SHARES.items() for _ in range(share))
CURRENCIES = {"US": "USD", "GB": "GBP", "PL": "PLN", "SE": "SEK", "CH": "CHF"}

_FIRST = (
    "Anna Ben Clara David Elif Finn Greta Hugo Ingrid Jan Katarzyna Léa Marie Noah Oliver Petra "
    "Quentin René Sofia Tomasz Ursula Viktor William Yara Zoë"
).split()
_LAST = (
    "Andersson,Bauer,Byrne,Dubois,Fischer,Garcia,Hoffmann,Jansen,Johnson,Keller,Kowalski,Lefèvre,Meyer,Moreau,"
    "Murphy,Müller,Nowak,O'Brien,Schmidt,Smith,Svensson,Taylor,de Vries,Weber,Wiśniewski"
).split(",")
# City, postal code, province (only where an address needs one).
_CITIES = {
    "DE": (
        ("Berlin", "10115"),
        ("Hamburg", "20095"),
        ("München", "80331"),
        ("Köln", "50667"),
        ("Leipzig", "04109"),
    ),
    "FR": (("Paris", "75001"), ("Lyon", "69002"), ("Marseille", "13001"), ("Lille", "59000")),
    "NL": (("Amsterdam", "1012 AB"), ("Rotterdam", "3011 AD"), ("Utrecht", "3511 LX")),
    "GB": (("London", "EC1A 1BB"), ("Manchester", "M1 1AE"), ("Edinburgh", "EH1 1YZ"), ("Leeds", "LS1 4AP")),
    "US": (
        ("New York", "10001", "NY"),
        ("Chicago", "60601", "IL"),
        ("Austin", "78701", "TX"),
        ("Boston", "02108", "MA"),
    ),
    "PL": (("Warszawa", "00-001"), ("Kraków", "30-002"), ("Gdańsk", "80-001")),
    "AT": (("Wien", "1010"), ("Graz", "8010"), ("Salzburg", "5020")),
    "SE": (("Stockholm", "111 22"), ("Göteborg", "411 03"), ("Malmö", "211 20")),
    "CH": (("Zürich", "8001"), ("Genève", "1201"), ("Bern", "3011")),
    "IE": (("Dublin", "D02 X285"), ("Cork", "T12 W8KP"), ("Galway", "H91 E2K3")),
}
_STREETS = {
    "DE": ("Lindenstraße {}", "Am Markt {}", "Goethestraße {}"),
    "FR": ("{} rue Victor Hugo", "{} avenue de la République"),
    "NL": ("Kerkstraat {}", "Molenweg {}"),
    "GB": ("{} High Street", "{} Station Road"),
    "US": ("{} Main St", "{} Oak Ave"),
    "PL": ("ul. Polna {}", "ul. Leśna {}"),
    "AT": ("Hauptstraße {}", "Kirchengasse {}"),
    "SE": ("Storgatan {}", "Kyrkogatan {}"),
    "CH": ("Bahnhofstrasse {}", "Dorfstrasse {}"),
    "IE": ("{} Main Street", "{} Church Road"),
}


def _mailbox(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha()).lower()


_MAILBOXES = {name: _mailbox(name) for name in (*_FIRST, *_LAST)}
# What is wrong with a customer of the extract, by its number modulo a thousand.
_DIRT = {11: "blank_email", 23: "bad_email", 37: "shouted_email", 41: "customer_aba"}
_DAYS_BETWEEN_CHANGES = 100  # of a customer's segment: 1 % of them change a day


def customer_id(number: int) -> str:
    """Return a customer's id: C-000001 for number 0."""
    return f"C-{number + 1:06d}"


class Person(NamedTuple):
    """A customer, free of what an extract makes of the data."""

    id: str
    email: str
    first_name: str
    last_name: str
    country: str
    address: dict[str, str | None]  # valid by its country's rules, though some are carelessly typed


def person(shop: Shop, number: int) -> Person:
    """Return a customer, with an address that the caller may change."""
    chance = shop.chance("person", number)
    code = _COUNTRIES[chance % 100]
    first, last = _FIRST[chance // 100 % len(_FIRST)], _LAST[chance // 2500 % len(_LAST)]
    city, postal_code, *province = _CITIES[code][chance // 62_500 % len(_CITIES[code])]
    street = _STREETS[code][chance // 7 % len(_STREETS[code])]
    is_careless = chance % 29 == 0
    address = {
        "name": f"{first} {last}",
        "address1": street.format(1 + chance // 11 % 120),
        "address2": None,
        "city": f" {city.upper()} " if is_careless else city,
        "zip": postal_code,
        "province_code": province[0] if province else None,
        "country_code": code.lower() if is_careless else code,
    }
    email = f"{_MAILBOXES[first]}.{_MAILBOXES[last]}{number + 1}@example.com"
    return Person(customer_id(number), email, first, last, code, address)


def extract(shop: Shop, day: int, counts: Counter[str]) -> bytes:
    """Return all customers of a day as CSV, and count the dirty rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number in range(shop.customers(day)):
        kind = _DIRT.get(number % 1000, "clean_customer")
        counts[kind] += 1
        writer.writerow(_row(shop, number, day, kind))
    return text.getvalue().encode()


def _row(shop: Shop, number: int, day: int, kind: str) -> tuple[str, ...]:
    customer = person(shop, number)
    changed = _changed_on(shop, number, day, kind)
    chance = shop.chance("customer", number)
    on = date_of_day(changed) if changed else DAY_0 - timedelta(days=chance % 400)
    return (
        customer.id,
        _typed_email(customer.email, kind),
        customer.first_name,
        customer.last_name,
        SEGMENTS[((0, 0, 0, 1, 2)[chance % 5] + changed) % 3],
        customer.country,
        iso_utc(moment(on, chance % 80_000)),
    )


def _changed_on(shop: Shop, number: int, day: int, kind: str) -> int:
    if kind == "customer_aba":
        return 1 if day == 1 else 0  # from day 2 on exactly the row of day 0 again
    return shop.changed_on("customer", number, day, _DAYS_BETWEEN_CHANGES)


def _typed_email(clean: str, kind: str) -> str:
    if kind == "blank_email":
        return "  "
    if kind == "bad_email":
        return clean.replace("@", " at ")
    return f" {clean.upper()} " if kind == "shouted_email" else clean
