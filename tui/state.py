"""What vfiotop keeps by itself between two starts (JSON, apart from the configuration): the
theme, and which card and which guest the user chose."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tui.config import MAX_BYTES, Config, address, name
from tui.host import Host
from tui.model import looks_like_uuid
from tui.process.files import read_file, write_atomically
from tui.process.folders import state_folder
from tui.rules.roles import Choice


@dataclass(frozen=True, slots=True)
class State:
    """``None``: never chosen."""

    theme: str | None = None
    guest_gpu: str | None = None
    guest: str | None = None


def folder() -> Path:
    """Where state is kept (XDG_STATE_HOME)."""
    return state_folder()


def _file() -> Path:
    return folder() / "state.json"


def load() -> State:
    """What was kept; what is not to be understood was not. Never raises."""
    try:
        kept = json.loads(read_file(_file(), MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return State()
    if not isinstance(kept, dict):
        return State()
    return State(
        theme=_valid(kept.get("theme"), name),
        guest_gpu=_valid(kept.get("guest_gpu"), address),
        guest=_valid(kept.get("guest"), name),
    )


def _valid(value: object, check: Callable[[str], str]) -> str | None:
    try:
        return check(value) if isinstance(value, str) else None
    except ValueError:
        return None


def save(**changes: str | None) -> None:
    """Keep some of it for the next start. Raises ``OSError``."""
    folder().mkdir(parents=True, exist_ok=True)
    write_atomically(_file(), json.dumps(asdict(replace(load(), **changes))))


def choice(config: Config, host: Host) -> Choice:
    """Which card and which guest: the configuration's first, then what was chosen, which was
    chosen for this machine and not for a simulated or a captured one."""
    kept = load() if host.banner is None else State()
    gpu = config.guest_gpu or kept.guest_gpu
    if config.guest is not None or kept.guest is None:
        return Choice(gpu, config.guest)
    # A domain that was picked is kept by its UUID, in a state file of 0.1 by its name.
    if looks_like_uuid(kept.guest):
        return Choice(gpu, guest_uuid=kept.guest)
    return Choice(gpu, kept.guest)
