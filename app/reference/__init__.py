"""Pages of `docs/` that are made from the code and the contract, so that they cannot say anything else."""
