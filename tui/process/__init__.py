"""This process: its output, files, privileges, signals, and how it reports a defect."""
