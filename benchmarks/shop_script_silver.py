"""The silver tables of the hand-written script: created on the first day, merged by key on a later one."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.shop.silver.addresses import addresses
from jobs.shop.silver.customers import customers
from jobs.shop.silver.exchange_rates import exchange_rates
from jobs.shop.silver.order_items import order_items
from jobs.shop.silver.orders import STATUSES, convert, orders
from jobs.shop.silver.products import products

if TYPE_CHECKING:
    from benchmarks.shop_script import Shop


def with_fields(shop: "Shop", source: str) -> DataFrame:
    """Return a day's new lines of an extract, their cells by column name."""
    names = [name or "_blank" for name in shop.header(source)]
    cells = F.from_csv("payload", ", ".join(f"`{name}` string" for name in names))
    pairs = [part for name in names for part in (F.lit(name.removeprefix("_blank")), F.col(f"cells.`{name}`"))]
    return shop.new(f"bronze.{source}").withColumn("cells", cells).withColumn("fields", F.create_map(*pairs))


def make_exchange_rates(shop: "Shop") -> None:
    """One row a currency and day; the newest delivery wins."""
    rows = exchange_rates(with_fields(shop, "exchange_rates"), shop_currency=shop.given["shop_currency"])
    upsert(shop, "silver.exchange_rates", rows.where("rate > 0"), ("currency", "rate_date"), "_delivery")


def make_customers(shop: "Shop") -> None:
    """One row a customer."""
    rows = customers(with_fields(shop, "customers"), regions=shop.given["regions"])
    upsert(shop, "silver.customers", rows.where("customer_id IS NOT NULL"), ("customer_id",), "updated_at")


def make_products(shop: "Shop") -> None:
    """One row a product."""
    rows = products(with_fields(shop, "products"), categories=shop.given["categories"])
    upsert(shop, "silver.products", rows.where("product_id IS NOT NULL"), ("product_id",), "updated_at")


def make_orders(shop: "Shop") -> None:
    """One row an order: the greatest updated_at wins, its total converted at the rate of the day."""
    given = {name: shop.given[name] for name in ("shop_currency", "zone", "regions")}
    whole = shop.new("bronze.orders").where(F.rtrim("payload").endswith("}"))  # of half a payload Spark reads that half
    rows = orders(whole, **given)
    rows = rows.join(F.broadcast(daily_rates(shop)), on=["_lookup_currency", "order_date"], how="left")
    rows = convert(rows, shop_currency=given["shop_currency"]).drop("_lookup_currency", "is_deleted")
    needed = ("order_id", "updated_at", "created_at", "amount_shop")
    is_usable = F.col("status").isin(list(STATUSES))
    for column in needed:
        is_usable = is_usable & F.col(column).isNotNull()
    upsert(shop, "silver.orders", rows, ("order_id",), "updated_at", is_usable)


def daily_rates(shop: "Shop") -> DataFrame:
    """Return rates with a row for each day that they hold for: until the next one, at most 7 days."""
    following = F.lead("rate_date").over(Window.partitionBy("currency").orderBy("rate_date"))
    last = F.date_add("rate_date", 7)
    until = F.least(last, F.coalesce(F.date_sub(following, 1), last))
    return (
        shop.table("silver.exchange_rates")
        .withColumn("until", until)
        .select(
            F.col("currency").alias("_lookup_currency"),
            F.explode(F.sequence("rate_date", "until")).alias("order_date"),
            F.col("rate").alias("exchange_rate"),
            F.col("rate_date").alias("exchange_rate_date"),
        )
    )


def make_order_items(shop: "Shop") -> None:
    """One row a line of an order; the lines that an order lost are deleted."""
    heads = shop.new("silver.orders")
    rows = order_items(heads).where("quantity <> 0 AND unit_price IS NOT NULL").drop("_problems", "_ordinal")
    if shop.day == 0:
        rows.write.format("delta").save(shop.path("silver.order_items"))
        return
    key = ["order_id", "line_number"]
    touched = F.broadcast(heads.select("order_id"))
    stored = shop.table("silver.order_items").join(touched, on="order_id", how="semi")
    gone = stored.join(rows.select(*key), on=key, how="anti").withColumn("is_gone", F.lit(True))
    changes = rows.withColumn("is_gone", F.lit(False)).unionByName(gone)
    columns: dict[str, str | Column] = {name: f"s.{name}" for name in rows.columns}
    merge = target(shop, "silver.order_items").merge(changes.alias("s"), same(key)).whenMatchedDelete("s.is_gone")
    merge.whenMatchedUpdate(set=columns).whenNotMatchedInsert(values=columns).execute()


def make_addresses(shop: "Shop") -> None:
    """One row an order that is shipped."""
    rows = addresses(shop.new("silver.orders"))
    if shop.day == 0:
        rows.write.format("delta").save(shop.path("silver.addresses"))
        return
    merge = target(shop, "silver.addresses").merge(rows.alias("s"), same(["order_id"]))
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()


def upsert(
    shop: "Shop", name: str, rows: DataFrame, key: tuple[str, ...], sequence: str, is_usable: Column | None = None
) -> None:
    """Write the newest usable row of each key, where it is newer than the one that is there."""
    # Not filtered before they are ranked: Spark would move the filter below, and parse each payload again for it.
    rows = rows.drop("_problems", "_ordinal").withColumn("_is_usable", F.lit(True) if is_usable is None else is_usable)
    newest = Window.partitionBy(*key).orderBy(F.desc("_is_usable"), F.desc(sequence), F.desc("_record_id"))
    rows = rows.withColumn("_rank", F.row_number().over(newest)).where("_rank = 1 AND _is_usable")
    rows = rows.drop("_rank", "_is_usable")
    if shop.day == 0:
        rows.write.format("delta").save(shop.path(name))
        return
    merge = target(shop, name).merge(rows.alias("s"), same(key))
    merge.whenMatchedUpdateAll(f"s.{sequence} > t.{sequence}").whenNotMatchedInsertAll().execute()


def target(shop: "Shop", name: str) -> DeltaTable:
    """Return a table to merge into, as t."""
    return DeltaTable.forPath(shop.spark, shop.path(name)).alias("t")


def same(key: Sequence[str]) -> str:
    """Return the condition that a row of t meets one of s."""
    return " AND ".join(f"t.{column} = s.{column}" for column in key)


MAKERS: dict[str, Callable[["Shop"], None]] = {
    "silver.exchange_rates": make_exchange_rates,
    "silver.customers": make_customers,
    "silver.products": make_products,
    "silver.orders": make_orders,
    "silver.order_items": make_order_items,
    "silver.addresses": make_addresses,
}
