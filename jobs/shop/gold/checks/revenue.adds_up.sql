-- Statuses for which revenue or orders differ from the orders they were added up from.
WITH
    summed AS (
        SELECT status, SUM(orders) AS orders, SUM(revenue) AS revenue FROM shop_gold.revenue GROUP BY status
    ),
    counted AS (
        SELECT status, COUNT(*) AS orders, SUM(order_total) AS revenue FROM shop_gold.customer_orders GROUP BY status
    )
SELECT
    COALESCE(summed.status, counted.status) AS status,
    summed.orders AS summed_orders,
    counted.orders AS counted_orders,
    summed.revenue AS summed_revenue,
    counted.revenue AS counted_revenue
FROM summed
FULL OUTER JOIN counted ON summed.status <=> counted.status
WHERE NOT (summed.orders <=> counted.orders AND summed.revenue <=> counted.revenue)
