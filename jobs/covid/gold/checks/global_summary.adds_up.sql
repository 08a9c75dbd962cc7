-- Days whose confirmed cases or deaths differ from those of their countries.
WITH countries AS (
    SELECT day, SUM(confirmed) AS confirmed, SUM(deaths) AS deaths FROM covid_silver.country_days GROUP BY day
)
SELECT COALESCE(countries.day, world.day) AS day, countries.confirmed, world.confirmed AS summed
FROM countries
FULL OUTER JOIN covid_gold.global_summary AS world ON world.day = countries.day
WHERE NOT (countries.confirmed <=> world.confirmed AND countries.deaths <=> world.deaths)
