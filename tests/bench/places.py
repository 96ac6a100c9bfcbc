"""The paths of a laid-out host, for the code that writes it and the code that reads it."""

from __future__ import annotations

from pathlib import Path

DOMAINS = "domains.xml"
CONFIG = "config.toml"
CONTROL = "control"


def root(folder: Path) -> Path:
    """The directory that stands for ``/``."""
    return folder / "host"
