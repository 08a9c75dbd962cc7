"""shop.gold.product_sales: one row per product sold, with its category and title; what adds up about
products.

Sales only, lines without a product left out. Title and category follow from the product, so it has one row.
Amounts are in the shop's currency with 4 decimals; returns are negative and taken off.
"""

from medallion import job
from medallion.tables import Aggregate, Measure

table = Aggregate(
    reads="shop.gold.order_lines",
    where="is_sale and product_id is not null",
    dimensions={"product_id": "product_id", "category": "category", "product_title": "product_title"},
    measures={
        "orders": Measure("count_distinct", "order_id"),
        "lines": Measure("count"),
        "units": Measure("sum", "units"),
        "gross_amount": Measure("sum", "gross_amount"),
        "discount_amount": Measure("sum", "discount_amount"),
        "revenue": Measure("sum", "net_amount"),
        "min_discount_pct": Measure("min", "discount_pct"),
        "max_discount_pct": Measure("max", "discount_pct"),
    },
    columns={
        "product_id": ("string", "the product"),
        "category": ("string", "its category, or Uncategorised"),
        "product_title": ("string", "its title in the catalogue"),
        "orders": ("bigint", "different orders it is on"),
        "lines": ("bigint", "order lines it is on"),
        "units": ("bigint", "units sold, returns taken off"),
        "gross_amount": ("decimal(28,4)", "units x unit prices before discounts"),
        "discount_amount": ("decimal(28,4)", "discounts on its lines"),
        "revenue": ("decimal(28,4)", "gross amount less discounts"),
        "min_discount_pct": ("decimal(9,4)", "smallest discount on a line, in percent of its gross amount"),
        "max_discount_pct": ("decimal(9,4)", "greatest discount on a line, in percent of its gross amount"),
    },
)


if __name__ == "__main__":
    job.main(__file__)
