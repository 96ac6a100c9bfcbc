"""Keeps modules from being imported by those that could use them."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

WITH_TYPING: Mapping[str, ModuleType | None] = {"typing_extensions": typing}
"""msgspec and Textual use typing_extensions for names that Python's own module has since 3.11. It
takes 2 ms to load, and 7 with inspect and ast, 1.4 MiB, which the watch does not need."""


@contextmanager
def hidden(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Have imports find what ``modules`` gives in place of the module of that name; with ``None``
    they fail.

    A module that was imported before is left alone. Afterwards all of them can be imported.
    """
    missing = [name for name in modules if name not in sys.modules]
    for name in missing:
        sys.modules[name] = modules[name]  # type: ignore[assignment]  # None: "import" fails
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]
