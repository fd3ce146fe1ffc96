"""The read model: the rows of this worker's partitions, laid out for searching, behind the stream."""
