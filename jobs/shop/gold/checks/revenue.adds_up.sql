-- Days for which revenue or orders differ from the orders they were added up from.
WITH
    summed AS (
        SELECT order_date, SUM(orders) AS orders, SUM(revenue) AS revenue FROM shop_gold.revenue GROUP BY order_date
    ),
    counted AS (
        SELECT order_date, COUNT(*) AS orders, SUM(order_total) AS revenue
        FROM shop_gold.customer_orders
        GROUP BY order_date
    )
SELECT
    COALESCE(summed.order_date, counted.order_date) AS order_date,
    summed.orders AS summed_orders,
    counted.orders AS counted_orders,
    summed.revenue AS summed_revenue,
    counted.revenue AS counted_revenue
FROM summed
FULL OUTER JOIN counted ON summed.order_date <=> counted.order_date
WHERE NOT (summed.orders <=> counted.orders AND summed.revenue <=> counted.revenue)
