"""One answer from all workers of the group: who owns what, asking each, and putting the parts together."""
