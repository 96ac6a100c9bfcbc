"""Imports Textual without what the first frame does not need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

PALETTE = "textual.command"


@contextmanager
def lean_imports() -> Iterator[None]:
    """Keep asyncio from importing ssl, and Textual from importing its command palette with a dozen
    widgets.

    The first takes 5 ms, and the screen opens no network connection. The second takes 12 ms;
    ``TerminalApp`` imports the palette when it is opened.
    """
    hidden = {"ssl": None, PALETTE: _stand_in()}
    missing = [name for name in hidden if name not in sys.modules]
    for name in missing:
        sys.modules[name] = hidden[name]  # type: ignore[assignment]  # None: "import" fails
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def _stand_in() -> ModuleType:
    """A module with the names that textual.app and textual.theme import from the palette's module.
    The first uses them to open the palette, the second for a list of themes that we do not
    offer."""
    module = ModuleType(PALETTE)
    for name in ("CommandPalette", "Provider", "SimpleProvider"):
        setattr(module, name, type(name, (), {}))
    for name in ("CommandListItem", "DiscoveryHit", "Hit", "Hits"):
        setattr(module, name, object)  # only in annotations and in what is not called
    return module
