"""shop.gold.customer_sales: one row per customer who bought something; what adds up about customers.

Sales only, guests left out. Revenue is in the shop's currency; returns are negative and taken off.
"""

from medallion import job
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="shop.gold.customer_orders",
    where="is_sale and customer_id is not null",
    dimensions={"customer_id": "customer_id"},
    measures={
        "orders": Measure("count"),
        "first_order_date": Measure("min", "order_date"),
        "last_order_date": Measure("max", "order_date"),
        "revenue": Measure("sum", "order_total"),
    },
    columns={
        "customer_id": ("string", "the customer, known to the CRM or not"),
        "orders": ("bigint", "orders, returns among them"),
        "first_order_date": ("date", "day of the first one, in the shop's zone"),
        "last_order_date": ("date", "day of the last one, in the shop's zone"),
        "revenue": ("decimal(22,2)", "what they come to"),
    },
)


if __name__ == "__main__":
    job.main(__file__)
