-- Days on which the euro, the base of all quotations, is missing or worth something else than itself.
SELECT rate_date, MAX(CASE WHEN currency = 'EUR' THEN units_per_euro END) AS euro
FROM shop_silver.exchange_rates
GROUP BY rate_date
HAVING NOT MAX(CASE WHEN currency = 'EUR' THEN units_per_euro END) <=> 1
