from datetime import UTC, datetime
from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.silver.products import products, table

CATEGORIES = {"Home & Garden": ["Home and Garden"], "Kitchen": []}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_a_line_is_trimmed_and_typed(spark, lines):
    extract = lines(
        {
            "product_id": " P-1",
            "title": "white mug ",
            "category": "kitchen",
            "list_price": "0.0125",
            "currency": "eur",
            "updated_at": "2026-01-05T12:00:00Z",
        },
        {"product_id": "P-2", "title": "", "category": None, "list_price": " ", "updated_at": None},
    )

    actual = products(extract, categories=CATEGORIES).select(*table.columns)

    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    expected = [
        ("P-1", "white mug", "Kitchen", Decimal("0.0125"), "EUR", NOON),
        ("P-2", None, "Uncategorised", None, None, None),
    ]
    assert_df_equality(actual, spark.createDataFrame(expected, schema), ignore_nullable=True)


def test_a_category_is_known_by_any_of_its_names(lines):
    given = ("HOME & GARDEN", " home and garden ", "submarines", None)
    extract = lines(*[{"category": category} for category in given])

    found = [row["category"] for row in products(extract, categories=CATEGORIES).collect()]

    assert found == ["Home & Garden", "Home & Garden", "Uncategorised", "Uncategorised"]


def test_a_price_that_cannot_be_held_exactly_is_told(lines):
    extract = lines({"list_price": "1.23456"}, {"list_price": "12,50"}, {"list_price": None})

    told = [row["_problems"] for row in products(extract, categories=CATEGORIES).collect()]

    assert told == [["list_price: cannot read '1.23456'"], ["list_price: cannot read '12,50'"], []]
