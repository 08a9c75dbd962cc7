from datetime import date
from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.gold.customer_lifetime_value import customer_lifetime_value, table

SALES = "customer_id string, orders bigint, first_order_date date, last_order_date date, revenue decimal(22,2)"
TODAY = date(2026, 1, 1)
YEAR_AGO, TWO_YEARS_AGO = date(2025, 1, 1), date(2024, 1, 2)
TIERS = {"gold": 1000, "silver": "250.50"}


def test_value_is_projected_from_what_a_customer_did_so_far(spark):
    sales = [
        ("regular", 3, YEAR_AGO, YEAR_AGO, Decimal("1000.00")),
        ("new", 1, TODAY, TODAY, Decimal("50.00")),
        ("gone", 3, TWO_YEARS_AGO, date(2024, 12, 31), Decimal("250.50")),
        ("returner", 1, YEAR_AGO, TODAY, Decimal("-20.00")),
        ("blank", 1, YEAR_AGO, YEAR_AGO, None),
    ]

    actual = customer_lifetime_value(spark.createDataFrame(sales, SALES), run_date=TODAY, tier_thresholds=TIERS)

    def row(sale, tenure_days, figures, tier):
        *before, revenue = sale
        amounts = [figure and Decimal(figure) for figure in figures]
        return (*before, tenure_days, revenue, *amounts, tier)

    rows = [
        row(sales[0], 365, ("333.33", "3", "1000.00", "2000.00"), "gold"),
        row(sales[1], 0, ("50", "4.0556", "202.78", "252.78"), "silver"),
        row(sales[2], 730, ("83.50", "1.5", "0", "250.50"), "silver"),
        row(sales[3], 365, ("-20", "1", "0", "-20"), "bronze"),
        row(sales[4], 365, (None, "1", "0", None), "bronze"),
    ]
    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    values = spark.createDataFrame(rows, schema)
    assert_df_equality(actual, values, ignore_nullable=True, ignore_row_order=True)
