-- Posts of silver that are missing here or differ in their comments, and rows here that no post stands behind.
WITH counted AS (
    SELECT post_id, COUNT(*) AS comments FROM community_silver.comments GROUP BY post_id
)
SELECT COALESCE(posts.post_id, mart.post_id) AS post_id, counted.comments, mart.comments AS mart_comments
FROM community_silver.posts AS posts
FULL OUTER JOIN community_gold.post_activity AS mart ON mart.post_id = posts.post_id
LEFT JOIN counted ON counted.post_id = posts.post_id
WHERE posts.post_id IS NULL OR NOT COALESCE(counted.comments, 0) <=> mart.comments
