"""shop.silver.orders: one row per order_id, as the shop last sent it.

Status: the shop's text, or `cancelled` where only a time of cancellation is given, or the payment's status,
mapped to a closed set by STATUSES; a text that the mapping does not know stays, for the expectation to
quarantine it by its value. A partly refunded order is still a paid one.
Money: `amount_shop` is the total at the rate of the order's day, or of the last business day up to 7 days
before; an order in the shop's own currency needs no rate, one without a rate waits for it. A discount not
given is 0. Delete: `deleted` or the topic orders/delete. Shopify's own deletes carry nothing but the id: such
a one counts from when it was received.
Line items and shipping address are kept as sent, for the tables made of them.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion import job
from medallion.parse import blank_to_null, exact_decimal, field, json_object, problems, unreadable, utc_timestamp
from medallion.tables import CARRIED, Lookup, Silver

STATUSES = {
    "pending": ("pending", "open", "placed", "unpaid", "authorized", "partially_paid"),
    "paid": ("paid", "partially_refunded"),
    "fulfilled": ("fulfilled", "shipped", "delivered", "completed"),
    "cancelled": ("cancelled", "canceled", "voided"),
    "refunded": ("refunded", "returned"),
}
ORDER = (
    "id string, topic string, deleted string, created_at string, updated_at string, cancelled_at string, "
    "status string, financial_status string, currency string, total_price string, total_discounts string, "
    "customer string, shipping_address string, line_items string"
)
LINE_ITEMS = "array<struct<product_id:string,title:string,quantity:string,price:string,total_discount:string>>"
ADDRESS = (
    "struct<name:string,address1:string,address2:string,city:string,zip:string,"
    "province:string,province_code:string,country_code:string>"
)

table = Silver(
    reads="shop.bronze.orders",
    key=("order_id",),
    sequence=("updated_at",),
    deleted="is_deleted",
    personal=("customer_id", "shipping_address"),
    lookups=(
        Lookup(
            "shop.silver.exchange_rates",
            on={"_lookup_currency": "currency"},
            take={"rate": "exchange_rate", "rate_date": "exchange_rate_date"},
            as_of=("order_date", "rate_date"),
            within_days=7,
        ),
    ),
    columns={
        "order_id": ("string", "the shop's id"),
        "customer_id": ("string", "who ordered; null for a guest"),
        "order_date": ("date", "day of creation in the shop's zone"),
        "status": ("string", "pending, paid, fulfilled, cancelled or refunded"),
        "currency": ("string", "ISO 4217 code of the order's money"),
        "shipping_country": ("string", "ISO 3166-1 alpha-2 as sent; null without a shipping address"),
        "shipping_region": ("string", "region of the shipping country, Other or Unknown"),
        "total_amount": ("decimal(10,2)", "what the order comes to, in currency; negative for a return"),
        "total_discount": ("decimal(10,2)", "discount already taken off, in currency; 0 where not given"),
        "exchange_rate": ("decimal(24,12)", "what one unit of currency was worth in the shop's currency"),
        "exchange_rate_date": ("date", "day of that rate; the order's own day in the shop's own currency"),
        "amount_shop": ("decimal(12,2)", "total_amount in the shop's currency, rounded half up"),
        "line_items": (LINE_ITEMS, "the lines as sent, in their order; null where none were sent"),
        "shipping_address": (ADDRESS, "the address as sent; null for an order that is not shipped"),
        "created_at": ("timestamp", "when the order was placed, UTC"),
        "updated_at": ("timestamp", "when the shop last changed it, UTC"),
    },
)


@table.transform
def orders(deliveries: DataFrame, *, shop_currency: str, zone: str, regions: Mapping[str, Sequence[str]]) -> DataFrame:
    """Read each payload; what needs a rate is added by `convert`."""
    country = F.col("shipping_country")
    named = [F.when(country.isin(list(countries)), region) for region, countries in regions.items()]
    return (
        deliveries.transform(_read_payload)
        .withColumn("shipping_country", F.upper(blank_to_null(F.col("shipping_address.country_code"))))
        .select(
            "order_id",
            field("customer_fields.id").alias("customer_id"),
            F.to_date(F.from_utc_timestamp("created_at", zone)).alias("order_date"),
            _status().alias("status"),
            "currency",
            "shipping_country",
            F.coalesce(F.when(country.isNull(), "Unknown"), *named, F.lit("Other")).alias("shipping_region"),
            "total_amount",
            F.coalesce("total_discount", F.lit(0).cast("decimal(10,2)")).alias("total_discount"),
            "line_items",
            "shipping_address",
            "created_at",
            F.when(F.col("is_deleted"), F.coalesce("updated_at", "_received_at"))
            .otherwise(F.col("updated_at"))
            .alias("updated_at"),
            "is_deleted",
            F.when(F.col("currency") != shop_currency, F.col("currency")).alias("_lookup_currency"),
            *CARRIED,
            _unreadable_fields(),
        )
    )


@table.enrich
def convert(rows: DataFrame, *, shop_currency: str) -> DataFrame:
    """Add the order's total in the shop's currency; a total too large to hold becomes null."""
    is_own = F.col("currency") == shop_currency
    rate = F.when(is_own, F.lit(1).cast("decimal(24,12)")).otherwise(F.col("exchange_rate"))
    return rows.withColumns(
        {
            "exchange_rate": rate,
            "exchange_rate_date": F.when(is_own, F.col("order_date")).otherwise(F.col("exchange_rate_date")),
            "amount_shop": F.round(F.col("total_amount") * rate, 2).try_cast("decimal(12,2)"),
        }
    )


def _read_payload(deliveries: DataFrame) -> DataFrame:
    """Add typed columns beside `sent`, the payload's own texts; nested objects are read in a second step.

    Read at once, an object of the wrong shape would become null without a word.
    """
    return deliveries.withColumn("sent", F.from_json("payload", ORDER)).withColumns(
        {
            "order_id": field("sent.id"),
            "is_deleted": F.col("sent.deleted").eqNullSafe("true") | F.col("sent.topic").eqNullSafe("orders/delete"),
            "created_at": utc_timestamp(field("sent.created_at")),
            "updated_at": utc_timestamp(field("sent.updated_at")),
            "currency": F.upper(field("sent.currency")),
            "total_amount": exact_decimal(field("sent.total_price"), 10, 2),
            "total_discount": exact_decimal(field("sent.total_discounts"), 10, 2),
            "customer_fields": F.from_json(json_object("sent.customer"), "id string"),
            "shipping_address": F.from_json(json_object("sent.shipping_address"), ADDRESS),
            "line_items": F.from_json("sent.line_items", LINE_ITEMS),
        }
    )


def _status() -> Column:
    cancelled = F.when(field("sent.cancelled_at").isNotNull(), "cancelled")
    text = F.lower(F.coalesce(field("sent.status"), cancelled, field("sent.financial_status")))
    return F.coalesce(*[F.when(text.isin(list(aliases)), name) for name, aliases in STATUSES.items()], text)


def _unreadable_fields() -> Column:
    return problems(
        unreadable("payload", F.col("payload"), json_object("payload")),
        unreadable("created_at", field("sent.created_at"), F.col("created_at")),
        unreadable("updated_at", field("sent.updated_at"), F.col("updated_at")),
        unreadable("total_price", field("sent.total_price"), F.col("total_amount")),
        unreadable("total_discounts", field("sent.total_discounts"), F.col("total_discount")),
        unreadable("customer", F.col("sent.customer"), json_object("sent.customer")),
        unreadable("shipping_address", F.col("sent.shipping_address"), json_object("sent.shipping_address")),
        unreadable("line_items", F.col("sent.line_items"), F.col("line_items")),
    )


if __name__ == "__main__":
    job.main(__file__)
