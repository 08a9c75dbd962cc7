-- Users of silver that are missing here or differ in their posts, and rows here that no user stands behind.
WITH counted AS (
    SELECT user_id, COUNT(*) AS posts FROM community_silver.posts GROUP BY user_id
)
SELECT COALESCE(users.user_id, summary.user_id) AS user_id, counted.posts, summary.posts AS summary_posts
FROM community_silver.users AS users
FULL OUTER JOIN community_gold.user_analytics_summary AS summary ON summary.user_id = users.user_id
LEFT JOIN counted ON counted.user_id = users.user_id
WHERE users.user_id IS NULL OR NOT COALESCE(counted.posts, 0) <=> summary.posts
