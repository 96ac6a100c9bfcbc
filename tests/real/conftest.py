"""The machine of the stand-in library, for the comparison with nvidia-smi."""

from __future__ import annotations

from tests.nvml.conftest import library, machine

__all__ = ["library", "machine"]
