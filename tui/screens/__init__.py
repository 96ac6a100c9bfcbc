"""The screens: one module for each, with a ``.tcss`` where it needs one."""

from __future__ import annotations

from importlib import import_module


def preload() -> None:
    """Import every screen and Textual's palette, so that the first key that opens one does not have
    to wait for the import."""
    from pkgutil import iter_modules  # noqa: PLC0415 - later, like the screens

    import_module("textual.system_commands")
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
