from decimal import Decimal

from chispa import assert_df_equality

from jobs.shop.gold.product_recommendations import product_recommendations, table

LINES = "order_id string, product_id string, units bigint, is_sale boolean"
BOUNDS = {"min_pair_orders": 2, "recommendations_per_product": 1}


def baskets(*orders):
    return [(f"o{number}", product, 1, True) for number, order in enumerate(orders) for product in order]


def test_pairs_are_counted_weighed_and_ranked(spark):
    not_bought = [("o9", None, 1, True), ("o3", "a", -1, True), ("o3", "b", 1, False)]
    lines = [*baskets("abc", "abb", "ac", "d"), *not_bought]

    actual = product_recommendations(spark.createDataFrame(lines, LINES), **BOUNDS)

    half, third, whole = Decimal("0.5"), Decimal("0.666667"), Decimal(1)
    lift = Decimal("1.333333")  # two of four orders together; three have a, two b, two c
    expected = [
        ("a", "b", 1, 2, half, third, lift),  # as good as c, and before it
        ("b", "a", 1, 2, half, whole, lift),
        ("c", "a", 1, 2, half, whole, lift),
    ]
    schema = ", ".join(f"{name} {type_}" for name, (type_, _) in table.columns.items())
    pairs = spark.createDataFrame(expected, schema)
    assert_df_equality(actual, pairs, ignore_nullable=True, ignore_row_order=True)


def test_a_pair_below_the_bound_is_chance(spark):
    lines = spark.createDataFrame([*baskets("ab", "a", "b"), (None, None, None, None)], LINES)

    assert product_recommendations(lines, **BOUNDS).collect() == []
