"""Real Apache Kafka and a real schema registry as child processes, without containers."""
