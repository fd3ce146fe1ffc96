"""Answers from what this worker has: its views, its state files, and Kafka for what any worker can read."""
