"""The stream core: batches in, one Kafka transaction out."""
