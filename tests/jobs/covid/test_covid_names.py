import pytest

from jobs.covid.names import SPELLINGS, TERRITORIES, country_named, country_of, province_of

SCHEMA = "country string, province string"


@pytest.mark.parametrize(
    ("country", "province", "expected"),
    [
        ("Mainland China", "Hubei", ("China", "Hubei")),
        ("China", "Hubei", ("China", "Hubei")),
        ("Republic of Korea", None, ("Korea, South", "")),
        ("South Korea", "", ("Korea, South", "")),
        ("Iran (Islamic Republic of)", None, ("Iran", "")),
        (" Azerbaijan", None, ("Azerbaijan", "")),
        ("Taiwan*", None, ("Taiwan", "")),
        ("Taiwan", "Taiwan", ("Taiwan", "")),
        ("Hong Kong", "Hong Kong", ("China", "Hong Kong")),
        ("Hong Kong SAR", "Hong Kong", ("China", "Hong Kong")),
        ("China", "Hong Kong", ("China", "Hong Kong")),
        ("North Ireland", None, ("United Kingdom", "Northern Ireland")),
        ("Guadeloupe", None, ("France", "Guadeloupe")),
        ("France", "France", ("France", "")),
        ("France", "Guadeloupe", ("France", "Guadeloupe")),
        ("UK", "United Kingdom", ("United Kingdom", "")),
        ("Others", "Diamond Princess cruise ship", ("Diamond Princess", "")),
        ("Cruise Ship", "Diamond Princess", ("Diamond Princess", "")),
        ("US", "Diamond Princess", ("US", "Diamond Princess")),
        ("US", " Montreal, QC ", ("US", "Montreal, QC")),
        ("Lebanon", "None", ("Lebanon", "")),
        ("Atlantis", "North", ("Atlantis", "North")),
        (None, None, (None, "")),
        (" ", " ", (None, "")),
    ],
)
def test_a_place_has_one_name(spark, country, province, expected):
    rows = spark.createDataFrame([(country, province)], SCHEMA)

    (found,) = rows.select(country_of(rows.country), province_of(rows.country, rows.province)).collect()

    assert tuple(found) == expected


@pytest.mark.parametrize(("country", "expected"), [("UK", "United Kingdom"), ("Macau", "Macau"), (None, None)])
def test_a_territory_is_no_other_name_of_a_country(spark, country, expected):
    """In a series of countries its counts would take the place of the country's."""
    rows = spark.createDataFrame([(country, None)], SCHEMA)

    assert rows.select(country_named(rows.country)).first()[0] == expected


def test_names_lead_to_names_that_stay():
    assert not {*SPELLINGS.values()} & {*SPELLINGS, *TERRITORIES}
    assert not {country for country, _ in TERRITORIES.values()} & {*SPELLINGS, *TERRITORIES}
    assert not {*SPELLINGS} & {*TERRITORIES}
