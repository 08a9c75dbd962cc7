-- Products for which units or revenue differ from the order lines they were added up from.
WITH lines AS (
    SELECT product_id, SUM(units) AS units, SUM(net_amount) AS revenue
    FROM shop_gold.order_lines
    WHERE is_sale AND product_id IS NOT NULL
    GROUP BY product_id
)
SELECT COALESCE(sales.product_id, lines.product_id) AS product_id, sales.revenue, lines.revenue AS lines_revenue
FROM shop_gold.product_sales AS sales
FULL OUTER JOIN lines ON lines.product_id = sales.product_id
WHERE NOT (sales.units <=> lines.units AND sales.revenue <=> lines.revenue)
