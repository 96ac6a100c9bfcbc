"""How the process that holds NVML ends. Imports little, because that process
loads it."""

CARD_LEFT = 3
"""The exit status after a card has left the driver, or is about to leave it."""
