"""Processes that hold a card, found in /proc."""
