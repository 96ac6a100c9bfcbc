"""The paths of a laid-out host, for the code that writes it and the code that reads it."""

from __future__ import annotations

from pathlib import Path

DOMAINS = "domains.xml"
CONFIG, PLAIN, WATCH = "config.toml", "plain.toml", "watch.toml"
"""The configurations: the default one, with the terminal's own colours, and of the watch."""

CONTROL = "control"

RUN, KEPT = "run", "kept"
"""What stands for /run/vfiotop and /var/lib/vfiotop."""

HISTORY = f"{RUN}/history"
"""The newest part of the watch's history."""


UDEV = "run/udev/data"
"""The database of the host's udev, below what stands for ``/``."""


def root(folder: Path) -> Path:
    """The directory that stands for ``/``."""
    return folder / "host"
