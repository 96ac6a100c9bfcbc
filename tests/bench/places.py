"""Where the parts of a laid-out host are, for those who lay it out and those who read it."""

from __future__ import annotations

from pathlib import Path

DOMAINS = "domains.xml"
CONFIG = "config.toml"
CONTROL = "control"


def root(folder: Path) -> Path:
    """What stands for ``/``."""
    return folder / "host"
