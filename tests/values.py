"""Values with some fields changed."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import msgspec

ValueT = TypeVar("ValueT")


def replace(value: ValueT, /, **changes: Any) -> ValueT:
    """A copy of a Struct or a dataclass with other values for some fields."""
    made = msgspec.structs if isinstance(value, msgspec.Struct) else dataclasses
    found: ValueT = made.replace(value, **changes)
    return found
