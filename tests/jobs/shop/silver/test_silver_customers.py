from datetime import UTC, datetime

from chispa import assert_df_equality

from jobs.shop.silver.customers import customers, table

REGIONS = {"DACH": ["DE", "AT"], "North America": ["US"]}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_a_line_is_trimmed_and_standardised(spark, lines):
    extract = lines(
        {
            "customer_id": " C-1 ",
            "email": " Anna@Example.COM ",
            "first_name": " Anna",
            "last_name": "Bauer ",
            "segment": "Corporate",
            "country_code": "de",
            "updated_at": "2026-01-05T13:00:00+01:00",
        },
        {"customer_id": "C-2", "email": "  ", "segment": "", "country_code": None, "updated_at": None},
    )

    actual = customers(extract, regions=REGIONS).select(*table.columns)

    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    expected = [
        ("C-1", "anna@example.com", "Anna", "Bauer", "business", "DE", "DACH", NOON),
        ("C-2", None, None, None, "unknown", None, "Unknown", None),
    ]
    assert_df_equality(actual, spark.createDataFrame(expected, schema), ignore_nullable=True)


def test_a_segment_is_mapped_or_kept_to_be_judged(lines):
    extract = lines(*[{"segment": given} for given in ("VIP ", "small business", "alien", None)])

    found = [row["segment"] for row in customers(extract, regions=REGIONS).collect()]

    assert found == ["vip", "business", "alien", "unknown"]


def test_a_country_that_no_region_names_is_other(lines):
    extract = lines({"country_code": "JP"}, {"country_code": None})

    assert [row["region"] for row in customers(extract, regions=REGIONS).collect()] == ["Other", "Unknown"]


def test_a_time_without_an_offset_is_told(lines):
    extract = lines({"updated_at": "2026-01-05T13:00:00"}, {"updated_at": None})

    told = [row["_problems"] for row in customers(extract, regions=REGIONS).collect()]

    assert told == [["updated_at: cannot read '2026-01-05T13:00:00'"], []]
