-- Orders of silver that are missing here, and rows here that no order of silver stands behind.
SELECT COALESCE(head.order_id, mart.order_id) AS order_id, head.amount_shop, mart.order_total
FROM shop_silver.orders AS head
FULL OUTER JOIN shop_gold.customer_orders AS mart ON mart.order_id = head.order_id
WHERE head.order_id IS NULL OR mart.order_id IS NULL OR NOT head.amount_shop <=> mart.order_total
