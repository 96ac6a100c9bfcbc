"""Imports Textual without what the first frame does not need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tui.process.imports import WITH_TYPING, hidden

PALETTE = "textual.command"


@contextmanager
def lean_imports() -> Iterator[None]:
    """Keep Textual, rich and asyncio from importing what the screen does not use at first, or at
    all. Together that takes about 20 ms, of which the command palette with its dozen widgets takes
    12 and ssl 5.
    """
    with hidden(_HIDDEN):
        yield


def _stand_in(name: str, names: Mapping[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(names)
    return module


class _Anything:
    def __init__(self, *_: object, **__: object) -> None: ...


_HIDDEN: dict[str, ModuleType | None] = {
    **WITH_TYPING,
    "ssl": None,  # the screen opens no network connection
    # textual.app opens the palette, which ``TerminalApp`` does in its place; textual.theme has a
    # list of themes that we do not offer.
    PALETTE: _stand_in(
        PALETTE,
        {name: type(name, (), {}) for name in ("CommandPalette", "Provider", "SimpleProvider")}
        # only in annotations and in what is not called
        | dict.fromkeys(("CommandListItem", "DiscoveryHit", "Hit", "Hits"), object),
    ),
    # Textual's colours as a table, for its documentation.
    "rich.table": _stand_in("rich.table", {"Table": _Anything}),
    # Suggestions in the errors of a style sheet.
    "difflib": _stand_in("difflib", {"get_close_matches": lambda *_, **__: []}),
    # Files to download, for applications in a browser.
    "mimetypes": _stand_in("mimetypes", {}),
}
"""Modules to hide, and what stands for them meanwhile."""
