"""The gold tables of the hand-written script, each a query over the tables it has made before."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.shop.gold.customer_lifetime_value import customer_lifetime_value
from jobs.shop.gold.customer_orders import customer_orders
from jobs.shop.gold.order_lines import order_lines
from jobs.shop.gold.product_performance import product_performance
from jobs.shop.gold.product_recommendations import product_recommendations
from jobs.shop.gold.revenue_trends import revenue_trends

if TYPE_CHECKING:
    from benchmarks.shop_script import Shop


def make_customer_orders(shop: "Shop") -> DataFrame:
    """One row an order, with its customer and what its lines add up to."""
    silver = [shop.table(f"silver.{name}") for name in ("orders", "customers", "order_items")]
    rows: DataFrame = customer_orders(*silver, sales_statuses=shop.given["sales_statuses"])
    return rows


def make_order_lines(shop: "Shop") -> DataFrame:
    """One row an order line, in the shop's currency."""
    silver = [shop.table(f"silver.{name}") for name in ("order_items", "orders", "products")]
    rows: DataFrame = order_lines(*silver, sales_statuses=shop.given["sales_statuses"])
    return rows


def make_revenue(shop: "Shop") -> DataFrame:
    """One row a day, region, status and segment."""
    dimensions = ("order_date", "shipping_region", "status", "segment")
    return (
        shop.table("gold.customer_orders")
        .groupBy(*dimensions)
        .agg(
            F.count("*").alias("orders"),
            F.count_distinct("customer_id").alias("customers"),
            F.sum("order_total").alias("revenue"),
        )
    )


def make_revenue_trends(shop: "Shop") -> DataFrame:
    """One row a week."""
    rows: DataFrame = revenue_trends(shop.table("gold.revenue"), sales_statuses=shop.given["sales_statuses"])
    return rows


def make_customer_sales(shop: "Shop") -> DataFrame:
    """One row a customer who bought something."""
    sales = shop.table("gold.customer_orders").where("is_sale AND customer_id IS NOT NULL")
    return sales.groupBy("customer_id").agg(
        F.count("*").alias("orders"),
        F.min("order_date").alias("first_order_date"),
        F.max("order_date").alias("last_order_date"),
        F.sum("order_total").alias("revenue"),
    )


def make_customer_lifetime_value(shop: "Shop") -> DataFrame:
    """One row a customer, as of the run's date."""
    thresholds = shop.given["tier_thresholds"]
    rows: DataFrame = customer_lifetime_value(
        shop.table("gold.customer_sales"), run_date=shop.run_date, tier_thresholds=thresholds
    )
    return rows


def make_product_sales(shop: "Shop") -> DataFrame:
    """One row a product sold."""
    sales = shop.table("gold.order_lines").where("is_sale AND product_id IS NOT NULL")
    return sales.groupBy("product_id", "category", "product_title").agg(
        F.count_distinct("order_id").alias("orders"),
        F.count("*").alias("lines"),
        F.sum("units").alias("units"),
        F.sum("gross_amount").alias("gross_amount"),
        F.sum("discount_amount").alias("discount_amount"),
        F.sum("net_amount").alias("revenue"),
        F.min("discount_pct").alias("min_discount_pct"),
        F.max("discount_pct").alias("max_discount_pct"),
    )


def make_product_performance(shop: "Shop") -> DataFrame:
    """One row a product sold, ranked in its category."""
    rows: DataFrame = product_performance(shop.table("gold.product_sales"))
    return rows


def make_product_recommendations(shop: "Shop") -> DataFrame:
    """One row a product and one bought with it."""
    bounds = {name: shop.given[name] for name in ("min_pair_orders", "recommendations_per_product")}
    rows: DataFrame = product_recommendations(shop.table("gold.order_lines"), **bounds)
    return rows


MAKERS: dict[str, Callable[["Shop"], DataFrame]] = {
    "gold.customer_orders": make_customer_orders,
    "gold.order_lines": make_order_lines,
    "gold.revenue": make_revenue,
    "gold.revenue_trends": make_revenue_trends,
    "gold.customer_sales": make_customer_sales,
    "gold.customer_lifetime_value": make_customer_lifetime_value,
    "gold.product_sales": make_product_sales,
    "gold.product_performance": make_product_performance,
    "gold.product_recommendations": make_product_recommendations,
}
