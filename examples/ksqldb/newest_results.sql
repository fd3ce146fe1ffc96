-- The newest version of each learning outcome result, in ksqlDB 0.29. NOT RUN by this project's tests: written from
-- ksqlDB's documentation, no engine was at hand. The schemas come from the registry, so no columns are named here.
-- A real schema registry is needed (ksql.schema.registry.url): a worker's /registry is read-only, and ksqlDB registers
-- what it writes.

SET 'auto.offset.reset' = 'earliest';
-- Else records of aborted transactions are read, too: this sets the consumers' isolation.level to read_committed.
SET 'processing.guarantee' = 'exactly_once_v2';

CREATE STREAM result_created (row_key VARCHAR KEY) WITH (
    KAFKA_TOPIC = 'canvas.learning_outcome_result_created', KEY_FORMAT = 'KAFKA', VALUE_FORMAT = 'AVRO'
);
CREATE STREAM result_updated (row_key VARCHAR KEY) WITH (
    KAFKA_TOPIC = 'canvas.learning_outcome_result_updated', KEY_FORMAT = 'KAFKA', VALUE_FORMAT = 'AVRO'
);

-- Both in one stream. `version` is text that sorts as versions do: an update after a creation, then updated_at,
-- event_time and event_id. Results of an older Canvas have no id and are left out.
CREATE STREAM result_version WITH (KAFKA_TOPIC = 'example.result_version', VALUE_FORMAT = 'AVRO') AS
    SELECT row_key,
           metadata->root_account_uuid AS root_account_uuid, body->id AS id,
           '0' + FORMAT_TIMESTAMP(metadata->event_time, 'yyyyMMddHHmmssSSS', 'UTC') + event_id AS version,
           body->user_uuid AS user_uuid, body->learning_outcome_id AS learning_outcome_id,
           COALESCE(body->workflow_state, 'active') AS workflow_state, body->score AS score
    FROM result_created WHERE body->id IS NOT NULL EMIT CHANGES;

INSERT INTO result_version
    SELECT row_key,
           metadata->root_account_uuid AS root_account_uuid, body->id AS id,
           '1' + FORMAT_TIMESTAMP(body->updated_at, 'yyyyMMddHHmmssSSS', 'UTC')
               + FORMAT_TIMESTAMP(metadata->event_time, 'yyyyMMddHHmmssSSS', 'UTC') + event_id AS version,
           body->user_uuid AS user_uuid, body->learning_outcome_id AS learning_outcome_id,
           COALESCE(body->workflow_state, 'active') AS workflow_state, body->score AS score
    FROM result_updated WHERE body->id IS NOT NULL EMIT CHANGES;

-- Not LATEST_BY_OFFSET: what arrives last need not be the newest. TOPK keeps the largest version and what goes with it.
CREATE TABLE newest_result WITH (KAFKA_TOPIC = 'example.newest_result', KEY_FORMAT = 'AVRO', VALUE_FORMAT = 'AVRO') AS
    SELECT root_account_uuid, id,
           TOPK(version, user_uuid, learning_outcome_id, workflow_state, CAST(score AS VARCHAR), 1)[1] AS newest
    FROM result_version GROUP BY root_account_uuid, id EMIT CHANGES;
