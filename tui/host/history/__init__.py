"""The history of a host on disk: who writes it, and who reads it."""
