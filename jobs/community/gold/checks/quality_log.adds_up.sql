-- Entities whose rows differ in number from silver's, or are not all of one grade.
WITH counted AS (
    SELECT 'users' AS entity, COUNT(*) AS stored FROM community_silver.users
    UNION ALL SELECT 'posts', COUNT(*) FROM community_silver.posts
    UNION ALL SELECT 'comments', COUNT(*) FROM community_silver.comments
),
    logged AS (
        SELECT entity, SUM(rows) AS logged, SUM(grade_a_rows + grade_b_rows + grade_c_rows + grade_d_rows) AS graded
        FROM community_gold.quality_log
        GROUP BY entity
    )
SELECT counted.entity, counted.stored, logged.logged, logged.graded
FROM counted
LEFT JOIN logged ON logged.entity = counted.entity
WHERE NOT (counted.stored <=> COALESCE(logged.logged, 0) AND COALESCE(logged.logged, 0) <=> COALESCE(logged.graded, 0))
