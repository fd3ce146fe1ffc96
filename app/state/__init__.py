"""State of the stream: rows by key, one SQLite file for each partition, restored from a changelog topic."""
