"""What vfiotop remembers between runs (JSON, separate from the configuration): the theme, and the
card and guest that the user chose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from tui.config import MAX_BYTES, Config, address, name
from tui.host import Host
from tui.model import looks_like_uuid
from tui.process.files import read_file, write_atomically
from tui.process.folders import state_folder
from tui.rules.roles import Choice


class State(Struct, frozen=True):
    """The user's choices; ``None``: not chosen."""

    theme: str | None = None
    guest_gpu: str | None = None
    guest: str | None = None


def folder() -> Path:
    """The folder of the state (XDG_STATE_HOME)."""
    return state_folder()


def _file() -> Path:
    return folder() / "state.json"


def load() -> State:
    """Load the state, ignoring what is missing or invalid. Never raises."""
    try:
        saved = json.loads(read_file(_file(), MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return State()
    if not isinstance(saved, dict):
        return State()
    return State(
        theme=_valid(saved.get("theme"), name),
        guest_gpu=_valid(saved.get("guest_gpu"), address),
        guest=_valid(saved.get("guest"), name),
    )


def _valid(value: object, check: Callable[[str], str]) -> str | None:
    try:
        return check(value) if isinstance(value, str) else None
    except ValueError:
        return None


def save(**changes: str | None) -> None:
    """Change some fields of the saved state. Raises ``OSError``."""
    folder().mkdir(parents=True, exist_ok=True)
    write_atomically(_file(), json.dumps(asdict(replace(load(), **changes))))


def choice(config: Config, host: Host) -> Choice:
    """The card and guest in the configuration, else those that the user chose. The saved choice is
    for this machine, so it does not apply to a simulated or captured host."""
    saved = load() if host.banner is None else State()
    gpu = config.guest_gpu or saved.guest_gpu
    if config.guest is not None or saved.guest is None:
        return Choice(gpu, config.guest)
    # Saved by UUID; state files of version 0.1 have the name.
    if looks_like_uuid(saved.guest):
        return Choice(gpu, guest_uuid=saved.guest)
    return Choice(gpu, saved.guest)
