-- Days whose regions or confirmed cases differ from those in silver.
WITH
    reported AS (
        SELECT report_date, COUNT(*) AS regions, SUM(confirmed) AS confirmed
        FROM covid_silver.region_days
        GROUP BY report_date
    ),
    summed AS (
        SELECT report_date, SUM(regions) AS regions, SUM(confirmed) AS confirmed
        FROM covid_gold.reported_totals
        GROUP BY report_date
    )
SELECT
    COALESCE(reported.report_date, summed.report_date) AS report_date,
    reported.confirmed,
    summed.confirmed AS summed_confirmed
FROM reported
FULL OUTER JOIN summed ON summed.report_date = reported.report_date
WHERE NOT (reported.regions <=> summed.regions AND reported.confirmed <=> summed.confirmed)
