"""shop.gold.product_recommendations: one row per product and one it is bought together with, the best ones
first.

From sales only; lines without a product and returned units do not count, nor does how many units an order
has. With N orders, n(A) of them with A and n(A, B) with both (Agrawal and Srikant, "Fast algorithms for
mining association rules", 1994; lift: Brin et al., "Dynamic itemset counting and implication rules", 1997):
- support = n(A, B) / N
- confidence = n(A, B) / n(A): how many of A's orders have B as well
- lift = confidence / (n(B) / N): how much more often than if A and B had nothing to do with each other

Bounds, both in the pipeline's parameters: a pair bought together in fewer than `min_pair_orders` orders is
chance and left out; a product keeps its `recommendations_per_product` best by confidence, then lift, then
product id. Orders of any size count; the cost grows with the square of the products on an order.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Derived

table = Derived(
    reads=("shop.gold.order_lines",),
    key=("product_id", "recommended_product_id"),
    columns={
        "product_id": ("string", "the product looked at (A)"),
        "recommended_product_id": ("string", "the product bought with it (B)"),
        "recommendation_rank": ("int", "place among the recommendations of A, from 1"),
        "pair_orders": ("bigint", "orders with both"),
        "support": ("decimal(9,6)", "share of all orders with both, 0 to 1"),
        "confidence": ("decimal(9,6)", "share of A's orders with both, 0 to 1"),
        "lift": ("decimal(18,6)", "confidence against B's share of all orders; above 1: more than by chance"),
    },
)


@table.transform
def product_recommendations(lines: DataFrame, *, min_pair_orders: int, recommendations_per_product: int) -> DataFrame:
    """Count the pairs, weigh them, and keep the best of each product."""
    is_bought = F.col("is_sale") & F.col("product_id").isNotNull() & (F.col("units") > 0)
    baskets = lines.where(is_bought).select("order_id", "product_id").distinct()
    return (
        baskets.transform(_count_pairs, min_pair_orders)
        .transform(_keep_best, baskets, recommendations_per_product)
        .transform(_weigh, baskets)
        .select(
            "product_id",
            "recommended_product_id",
            "recommendation_rank",
            "pair_orders",
            "support",
            "confidence",
            "lift",
        )
    )


def _count_pairs(baskets: DataFrame, min_pair_orders: int) -> DataFrame:
    """Count the orders of each pair, once from an order's sorted products, and return it both ways round."""
    products = F.sort_array(F.collect_list("product_id"))
    following = F.slice("products", F.col("place") + 2, F.size("products"))
    pairs = (
        baskets.groupBy("order_id")
        .agg(products.alias("products"))
        .select("products", F.posexplode("products").alias("place", "first"))
        .select("first", F.explode(following).alias("second"))
        .groupBy("first", "second")
        .agg(F.count("*").alias("pair_orders"))
        .where(F.col("pair_orders") >= min_pair_orders)
    )
    both_ways = F.explode(F.array(_pair("first", "second"), _pair("second", "first")))
    return pairs.select(both_ways.alias("pair"), "pair_orders").select("pair.*", "pair_orders")


def _pair(product: str, partner: str) -> Column:
    return F.struct(F.col(product).alias("product_id"), F.col(partner).alias("recommended_product_id"))


def _keep_best(pairs: DataFrame, baskets: DataFrame, recommendations_per_product: int) -> DataFrame:
    """Rank before weighing, since few pairs stay.

    Confidence grows with the orders of the pair, and where it is equal, lift falls with those of the partner.
    """
    best_first = Window.partitionBy("product_id").orderBy(
        F.desc("pair_orders"), "partner_orders", "recommended_product_id"
    )
    return (
        pairs.join(
            _orders_of(baskets, "recommended_product_id", "partner_orders"), on="recommended_product_id", how="inner"
        )
        .withColumn("recommendation_rank", F.row_number().over(best_first))
        .where(F.col("recommendation_rank") <= recommendations_per_product)
    )


def _orders_of(baskets: DataFrame, product: str, count: str) -> DataFrame:
    # Marked as the small side of joins: Spark would take the pairs for it, and hold up other tables meanwhile.
    return F.broadcast(baskets.groupBy(F.col("product_id").alias(product)).agg(F.count("*").alias(count)))


def _weigh(pairs: DataFrame, baskets: DataFrame) -> DataFrame:
    """Add support, confidence and lift to the pairs, from how many orders each product is on."""
    all_orders = baskets.agg(F.count_distinct("order_id").cast("decimal(12,0)").alias("all_orders"))
    together = F.col("pair_orders").cast("decimal(12,0)")
    product, partner = F.col("product_orders"), F.col("partner_orders")
    return (
        pairs.join(_orders_of(baskets, "product_id", "product_orders"), on="product_id", how="inner")
        .crossJoin(F.broadcast(all_orders))
        .withColumns(
            {
                "support": F.try_divide(together, "all_orders").cast("decimal(9,6)"),
                "confidence": F.try_divide(together, product).cast("decimal(9,6)"),
                "lift": F.try_divide(together * F.col("all_orders"), product * partner).cast("decimal(18,6)"),
            }
        )
    )


if __name__ == "__main__":
    job.main(__file__)
