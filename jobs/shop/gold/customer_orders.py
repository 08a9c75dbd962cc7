"""shop.gold.customer_orders: one row per order_id, with who ordered and what the lines add up to.

An order is a sale (`is_sale`) while its status is among the pipeline's `sales_statuses`; that list is the one
place where it is decided, and every figure about sales follows this column or that list.
A guest, or a customer the CRM never sent, has segment `unknown` and region `Unknown`.
`calculated_total` is rounded once, from exact line amounts, in the order's own currency. It differs from the
shop's total (`is_mismatch`) by shipping, taxes or discounts outside the lines, and while lines are in
quarantine or wait.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.tables import Mart

table = Mart(
    driving="shop.silver.orders",
    key=("order_id",),
    lookups={"shop.silver.customers": "customer_id"},
    children={"shop.silver.order_items": "order_id"},
    columns={
        "order_id": ("string", "the order"),
        "customer_id": ("string", "who ordered; null for a guest"),
        "segment": ("string", "the customer's segment, or unknown"),
        "customer_region": ("string", "the customer's region, Other or Unknown"),
        "shipping_country": ("string", "ISO 3166-1 alpha-2; null without a shipping address"),
        "shipping_region": ("string", "region of the shipping country, Other or Unknown"),
        "status": ("string", "pending, paid, fulfilled, cancelled or refunded"),
        "is_sale": ("boolean", "whether the status counts as a sale"),
        "order_date": ("date", "day of creation in the shop's zone"),
        "product_count": ("bigint", "different products on its lines"),
        "item_count": ("bigint", "units on its lines, returns taken off"),
        "order_total": ("decimal(12,2)", "what the order comes to, in the shop's currency"),
        "currency": ("string", "ISO 4217 code of total_amount and calculated_total"),
        "total_amount": ("decimal(10,2)", "what the order comes to, as the shop says"),
        "calculated_total": ("decimal(20,2)", "what its lines add up to; 0 without lines"),
        "is_mismatch": ("boolean", "whether these two differ"),
        "created_at": ("timestamp", "when the order was placed, UTC"),
    },
)


@table.transform
def customer_orders(
    orders: DataFrame, customers: DataFrame, order_items: DataFrame, *, sales_statuses: Sequence[str]
) -> DataFrame:
    """Bring each order together with its customer and the sums of its lines."""
    buyers = customers.select("customer_id", "segment", F.col("region").alias("customer_region"))
    calculated_total = F.round(F.coalesce("lines_amount", F.lit(0)), 2).cast("decimal(20,2)")
    return (
        orders.join(buyers, on="customer_id", how="left")
        .join(order_items.transform(_sum_by_order), on="order_id", how="left")
        .select(
            "order_id",
            "customer_id",
            F.coalesce("segment", F.lit("unknown")).alias("segment"),
            F.coalesce("customer_region", F.lit("Unknown")).alias("customer_region"),
            "shipping_country",
            "shipping_region",
            "status",
            F.coalesce(F.col("status").isin(list(sales_statuses)), F.lit(False)).alias("is_sale"),
            "order_date",
            F.coalesce("product_count", F.lit(0)).cast("bigint").alias("product_count"),
            F.coalesce("item_count", F.lit(0)).cast("bigint").alias("item_count"),
            F.col("amount_shop").alias("order_total"),
            "currency",
            "total_amount",
            calculated_total.alias("calculated_total"),
            (~calculated_total.eqNullSafe(F.col("total_amount"))).alias("is_mismatch"),
            "created_at",
        )
    )


def _sum_by_order(order_items: DataFrame) -> DataFrame:
    return order_items.groupBy("order_id").agg(
        F.count_distinct("product_id").alias("product_count"),
        F.sum("quantity").alias("item_count"),
        F.sum("line_amount").alias("lines_amount"),
    )


if __name__ == "__main__":
    job.main(__file__)
