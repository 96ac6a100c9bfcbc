"""Fixes for a captured host: its owner applies them on that host, no key here does."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from tui.model import Check
from tui.rules.family import NEWER_NAMES
from tui.rules.isolation import UNREADABLE

_BY_KEY = re.compile(r"\bpress [a-z](?: to [^,;]+)?, or ")
_BY_ROOT = re.compile(r"\brun (?:vfiotop|this) as root\b")
_THERE = {
    UNREADABLE: "capture it again, as root and with all of its links",
    NEWER_NAMES: "capture it with a newer list of PCI names (/usr/share/misc/pci.ids)",
    "in the configuration": "in a configuration for this host (--config FILE)",
}


def with_captured_fixes(checks: Iterable[Check], *, captured: bool) -> tuple[Check, ...]:
    """The checks; for a captured host, with fixes that its owner can apply."""
    if not captured:
        return tuple(checks)
    return tuple(replace(check, fix=captured_fix(check.fix)) for check in checks)


def captured_fix(fix: str | None) -> str | None:
    """A fix, reworded for the owner of a captured host."""
    if fix is None:
        return None
    for here, there in _THERE.items():
        fix = fix.replace(here, there)
    return _BY_ROOT.sub("capture it as root", _BY_KEY.sub("", fix))
