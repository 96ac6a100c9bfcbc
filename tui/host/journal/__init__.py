"""The journal of a swap: the file, and the source that reads it."""
