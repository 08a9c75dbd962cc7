"""shop.gold.revenue: one row per day of creation, shipping region, current status and customer segment.

Every status is here, as a dimension; which of them are sales is the pipeline's `sales_statuses`.
Customers are counted within a row: one who ordered on two days counts in both, so that they do not add up.
"""

from medallion import job
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="shop.gold.customer_orders",
    dimensions={
        "order_date": "order_date",
        "shipping_region": "shipping_region",
        "status": "status",
        "segment": "segment",
    },
    measures={
        "orders": Measure("count"),
        "customers": Measure("count_distinct", "customer_id"),
        "revenue": Measure("sum", "order_total"),
    },
    columns={
        "order_date": ("date", "day of creation in the shop's zone"),
        "shipping_region": ("string", "region of the shipping country, Other or Unknown"),
        "status": ("string", "current status of the orders"),
        "segment": ("string", "segment of their customers, or unknown"),
        "orders": ("bigint", "orders, returns among them"),
        "customers": ("bigint", "different known customers"),
        "revenue": ("decimal(22,2)", "what the orders come to, in the shop's currency; returns are negative"),
    },
)


if __name__ == "__main__":
    job.main(__file__)
