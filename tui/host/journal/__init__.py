"""The journal of this host's swaps: its values, its format, its file, and the readings of it."""
