"""This process: its output, files, privileges and signals, and how it reports a bug."""
