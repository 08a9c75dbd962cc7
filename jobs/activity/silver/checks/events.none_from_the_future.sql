-- Events that happened more than a day after they were received: a clock that is wrong, or a date.
SELECT event_id, occurred_at, received_at
FROM activity_silver.events
WHERE occurred_at > received_at + INTERVAL 1 DAY
