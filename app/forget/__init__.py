"""Forgetting a student: the command that goes through the stream, and the places that it cannot reach."""
