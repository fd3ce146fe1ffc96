"""The dead letters, the marks of those that were replayed, and replaying them exactly once."""
