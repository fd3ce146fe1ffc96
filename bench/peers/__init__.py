"""The programs to compare with: each does the whole fan-out job, as its own documentation suggests."""
