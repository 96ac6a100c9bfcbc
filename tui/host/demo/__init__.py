"""A simulated host."""
