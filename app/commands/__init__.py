"""The `mastery` command, one small module per group of commands."""
