from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.gold.product_performance import product_performance, table
from jobs.shop.gold.product_sales import table as product_sales


def schema_of(declared):
    return ", ".join(f"{name} {type_}" for name, (type_, _) in declared.columns.items())


def test_prices_discounts_and_ranks_follow_from_the_sums(spark):
    def sold(product_id, category, units, *amounts):
        return (product_id, category, None, 1, 1, units, *map(Decimal, amounts), None, Decimal(50))

    sales = [
        sold("p1", "Kitchen", 3, "40", "10", "30.0050"),
        sold("p2", "Kitchen", 2, "10", "0", "10"),
        sold("p3", "Kitchen", 5, "10", "0", "10"),
        sold("p4", "Hardware", 0, "0", "0", "0"),
    ]

    actual = product_performance(spark.createDataFrame(sales, schema_of(product_sales)))

    def row(key, units, revenue, averages, rank):
        product_id, category = key
        price, discount_pct = (average and Decimal(average) for average in averages)
        return (
            product_id,
            None,
            category,
            1,
            units,
            Decimal(revenue),
            price,
            None,
            Decimal(50),
            discount_pct,
            rank,
        )

    rows = [
        row(("p1", "Kitchen"), 3, "30.01", ("10.0017", "25"), 1),
        row(("p2", "Kitchen"), 2, "10", ("5", "0"), 2),
        row(("p3", "Kitchen"), 5, "10", ("2", "0"), 2),
        row(("p4", "Hardware"), 0, "0", (None, None), 1),
    ]
    products = spark.createDataFrame(rows, schema_of(table))
    assert_df_equality(actual, products, ignore_nullable=True, ignore_row_order=True)
