"""The families of commands."""

from __future__ import annotations

from tui.cli import (
    capture,
    configuration,
    doctor,
    guest,
    metrics,
    plan,
    replay,
    status,
    swap,
    usb,
    watch,
)

FAMILIES = (
    status.add_commands, doctor.add_commands, plan.add_commands, swap.add_commands,
    guest.add_commands, usb.add_commands, watch.add_commands, metrics.add_commands,
    capture.add_commands, replay.add_commands, configuration.add_commands,
)  # fmt: skip
"""In the order of ``--help``."""
