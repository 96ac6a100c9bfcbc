"""The folders of the user's configuration and state (XDG Base Directory Specification).

For root they are in root's own home. HOME and XDG_* may still be those of the user who called
sudo, who could place links where root writes.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_config_path, user_state_path

from tui.process.privileges import only_root_can_change, root_home


def config_folder() -> Path:
    """XDG_CONFIG_HOME/vfiotop."""
    return _user_folder(user_config_path("vfiotop"), ".config")


def state_folder() -> Path:
    """XDG_STATE_HOME/vfiotop."""
    return _user_folder(user_state_path("vfiotop"), ".local/state")


def _user_folder(folder: Path, usual: str) -> Path:
    """The folder if it can be used, else the default: XDG ignores a relative path."""
    if os.geteuid() == 0 and not (folder.is_absolute() and only_root_can_change(folder)):
        return Path(root_home(), usual, "vfiotop")
    return folder if folder.is_absolute() else Path.home() / usual / "vfiotop"
