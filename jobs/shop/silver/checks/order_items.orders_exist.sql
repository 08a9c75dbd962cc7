-- Lines whose order is not there: deleted, in quarantine, or never seen.
SELECT item.order_id, item.line_number
FROM shop_silver.order_items AS item
LEFT ANTI JOIN shop_silver.orders AS head ON head.order_id = item.order_id
