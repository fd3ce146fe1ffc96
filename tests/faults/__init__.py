"""A worker under faults, on real Kafka: every event comes out once, whatever happens."""
