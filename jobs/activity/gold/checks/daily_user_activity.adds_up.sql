-- Days whose events differ in number from those in silver.
WITH days AS (
    SELECT event_date, COUNT(*) AS events FROM activity_silver.events GROUP BY event_date
)
SELECT COALESCE(days.event_date, summed.event_date) AS event_date, days.events, summed.events AS summed_events
FROM days
FULL OUTER JOIN (
    SELECT event_date, SUM(events) AS events FROM activity_gold.daily_user_activity GROUP BY event_date
) AS summed ON summed.event_date = days.event_date
WHERE NOT days.events <=> summed.events
