from datetime import date
from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.silver.exchange_rates import exchange_rates

RATES = "currency string, rate_date date, units_per_euro decimal(18,6), rate decimal(24,12)"
NAMES = ["currency", "rate_date", "units_per_euro", "rate"]
DAY = date(2026, 1, 5)


def test_a_day_becomes_one_row_a_quoted_currency(spark, lines):
    days = lines({"Date": "2026-01-05", "USD": "1.25", "JPY": "N/A", "CZK": " ", "BGN": None, "": ""})

    actual = exchange_rates(days, shop_currency="EUR").select(*NAMES)

    expected = [("EUR", DAY, Decimal(1), Decimal(1)), ("USD", DAY, Decimal("1.25"), Decimal("0.8"))]
    assert_df_equality(actual, spark.createDataFrame(expected, RATES), ignore_nullable=True, ignore_row_order=True)


def test_rates_are_in_the_currency_of_the_shop(spark, lines):
    days = lines({"Date": "2026-01-05", "USD": "1.25", "IDR": "20275.17", "JPY": None})

    actual = exchange_rates(days, shop_currency="USD").select(*NAMES)

    expected = [
        ("EUR", DAY, Decimal(1), Decimal("1.25")),
        ("USD", DAY, Decimal("1.25"), Decimal(1)),
        ("IDR", DAY, Decimal("20275.17"), Decimal("0.000061651764")),
    ]
    assert_df_equality(actual, spark.createDataFrame(expected, RATES), ignore_nullable=True, ignore_row_order=True)


def test_the_place_of_a_row_in_its_line_is_known(lines):
    rows = exchange_rates(lines({"Date": "2026-01-05", "JPY": None, "USD": "1.2"}), shop_currency="EUR")

    assert sorted((row["_ordinal"], row["currency"]) for row in rows.collect()) == [(0, "EUR"), (1, "USD")]


def test_a_day_without_the_currency_of_the_shop_gives_no_rate(lines):
    days = lines({"Date": "2026-01-05", "USD": None, "GBP": "0.87"})

    found = exchange_rates(days, shop_currency="USD").collect()

    assert {row["rate"] for row in found} == {None}
    assert {tuple(row["_problems"]) for row in found} == {("rate: no quotation of USD that day",)}


def test_what_cannot_be_read_is_told(lines):
    days = lines({"Date": "05.01.2026", "USD": "1,25", "GBP": "0", "JPY": None})

    told = {row["currency"]: row["_problems"] for row in exchange_rates(days, shop_currency="EUR").collect()}

    no_date = "rate_date: cannot read '05.01.2026'"
    assert told == {
        "EUR": [no_date],
        "USD": [no_date, "units_per_euro: cannot read '1,25'"],
        "GBP": [no_date, "rate: not computable"],
    }
