"""shop.bronze.orders: one row per delivered order payload, exactly as the shop sent it.

Source: the shop's webhooks, one JSON object a delivery; an event: its identity is its `delivery_id`.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="orders")

if __name__ == "__main__":
    job.main(__file__)
