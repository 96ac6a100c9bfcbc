"""The command line: exit codes, errors, and one module per family of commands."""
