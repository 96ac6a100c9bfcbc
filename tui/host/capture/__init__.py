"""A host's facts in an archive: recorded, redacted, packed, and loaded again."""
