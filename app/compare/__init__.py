"""Canvas's own roll-ups of a course beside the rows that the workers made."""
