from datetime import date
from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.gold.revenue_trends import revenue_trends, table

REVENUE = "order_date date, status string, orders bigint, revenue decimal(22,2)"


def test_weeks_are_added_up_and_compared_with_the_week_before(spark):
    revenue = [
        (date(2025, 12, 29), "paid", 1, Decimal(10)),  # Monday of the week that holds New Year
        (date(2026, 1, 4), "fulfilled", 2, Decimal(30)),  # its Sunday
        (date(2026, 1, 5), "paid", 4, Decimal(50)),
        (date(2026, 1, 6), "cancelled", 9, Decimal(99)),
        (date(2026, 1, 12), "paid", 1, Decimal("-5")),
        (date(2026, 1, 19), "paid", 3, Decimal(20)),
        (date(2026, 2, 2), "paid", 0, Decimal(0)),
        (date(2026, 2, 3), None, 1, None),
    ]

    actual = revenue_trends(spark.createDataFrame(revenue, REVENUE), sales_statuses=["paid", "fulfilled"])

    expected = [
        (date(2025, 12, 29), 3, Decimal(40), Decimal("13.33"), Decimal(40), None),
        (date(2026, 1, 5), 4, Decimal(50), Decimal("12.50"), Decimal(90), Decimal(25)),
        (date(2026, 1, 12), 1, Decimal(-5), Decimal(-5), Decimal(85), Decimal(-110)),
        (date(2026, 1, 19), 3, Decimal(20), Decimal("6.67"), Decimal(105), None),
        (date(2026, 2, 2), 0, Decimal(0), None, Decimal(105), None),
    ]
    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    weeks = spark.createDataFrame(expected, schema)
    assert_df_equality(actual, weeks, ignore_nullable=True, ignore_row_order=True)
