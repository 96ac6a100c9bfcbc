"""Actions on a guest: their plans, and how they are executed."""
