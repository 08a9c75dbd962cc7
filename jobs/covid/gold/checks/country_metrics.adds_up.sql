-- Countries whose new confirmed cases do not lead from the first day's count to the last one's, or do not have as many
-- days here as are believed now.
WITH
    believed AS (
        SELECT
            country,
            COUNT(*) AS days,
            MAX_BY(confirmed, day) - MIN_BY(confirmed, day) AS came
        FROM covid_silver.country_days
        GROUP BY country
    ),
    summed AS (
        SELECT country, COUNT(*) AS days, COALESCE(SUM(new_confirmed), 0) AS came
        FROM covid_gold.country_metrics
        GROUP BY country
    )
SELECT COALESCE(believed.country, summed.country) AS country, believed.came, summed.came AS summed
FROM believed
FULL OUTER JOIN summed ON summed.country = believed.country
WHERE NOT (believed.days <=> summed.days AND believed.came <=> summed.came)
