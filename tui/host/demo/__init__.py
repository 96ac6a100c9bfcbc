"""The simulated host behind ``vfiotop --demo``."""
