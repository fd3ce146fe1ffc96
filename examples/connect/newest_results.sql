-- The newest version of each result, from the two tables that results-jdbc-sink.json fills (PostgreSQL).

CREATE INDEX IF NOT EXISTS learning_outcome_result_created_row
    ON learning_outcome_result_created (metadata_root_account_uuid, body_id);
CREATE INDEX IF NOT EXISTS learning_outcome_result_updated_row
    ON learning_outcome_result_updated (metadata_root_account_uuid, body_id);

CREATE OR REPLACE VIEW newest_learning_outcome_result AS
WITH version AS (
    SELECT
        false AS is_update, NULL::timestamp AS updated_at, metadata_event_time AS event_time, event_id,
        metadata_root_account_uuid AS root_account_uuid, body_id AS id, body_user_uuid AS user_uuid,
        body_learning_outcome_id AS learning_outcome_id, body_result_context_id AS course_id,
        coalesce(body_workflow_state, 'active') AS workflow_state, body_score AS score,
        body_possible AS possible, body_percent AS percent, body_mastery AS mastery,
        body_assessed_at AS assessed_at
    FROM learning_outcome_result_created
    UNION ALL
    SELECT
        true, body_updated_at, metadata_event_time, event_id,
        metadata_root_account_uuid, body_id, body_user_uuid,
        body_learning_outcome_id, body_result_context_id,
        coalesce(body_workflow_state, 'active'), body_score,
        body_possible, body_percent, body_mastery,
        body_assessed_at
    FROM learning_outcome_result_updated
)
SELECT DISTINCT ON (root_account_uuid, id) *
FROM version
WHERE id IS NOT NULL  -- older Canvas sends none: docs/topics.md says what stands for it
ORDER BY
    root_account_uuid, id,
    is_update DESC, updated_at DESC NULLS LAST, event_time DESC, event_id COLLATE "C" DESC;

-- SELECT user_uuid, learning_outcome_id, score FROM newest_learning_outcome_result WHERE workflow_state = 'active';
