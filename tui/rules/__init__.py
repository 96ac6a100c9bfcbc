"""The rules, pure: a snapshot in, verdicts out. They import tui.model only."""
