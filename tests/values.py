"""Values with some fields changed, and which fields a card of the host has."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import msgspec

from tui.model import Metrics

ValueT = TypeVar("ValueT")


def replace(value: ValueT, /, **changes: Any) -> ValueT:
    """A copy of a Struct or a dataclass with other values for some fields."""
    made = msgspec.structs if isinstance(value, msgspec.Struct) else dataclasses
    found: ValueT = made.replace(value, **changes)
    return found


OF_GUESTS = ("enc_sessions", "enc_fps", "enc_latency_us")
"""The metrics that only nvidia-smi in a guest is asked for."""

NVML_METRICS = tuple(name for name in Metrics.names() if name not in OF_GUESTS)
"""The metrics that NVML is asked for."""
