"""The screens: one module for each, with a ``.tcss`` where it needs one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def preload() -> None:
    """Import every screen, so that the first key that opens one does not wait for that."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
