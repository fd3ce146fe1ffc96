"""All rows made anew: from the results, or from the snapshots in the rows themselves."""
