"""What vfiotop keeps by itself between two starts (JSON, apart from the configuration): the
theme, and which card and which guest the user chose."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from tui.config import MAX_BYTES, Config, address, write_atomically
from tui.host import Host
from tui.host.untrusted import clean
from tui.places import state_folder
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
    """What was kept; what is not to be understood was not."""
    state = State()
    with contextlib.suppress(OSError, ValueError), _file().open("rb") as file:
        kept = json.loads(file.read(MAX_BYTES))
        if isinstance(kept, dict):
            for name in (field.name for field in fields(State)):
                if isinstance(kept.get(name), str) and kept[name]:
                    state = replace(state, **{name: clean(kept[name])})
    if state.guest_gpu is not None:
        try:
            state = replace(state, guest_gpu=address(state.guest_gpu))
        except ValueError:
            state = replace(state, guest_gpu=None)
    return state


def save(**changes: str | None) -> None:
    """Keep some of it for the next start. Raises ``OSError``."""
    write_atomically(_file(), json.dumps(asdict(replace(load(), **changes))))


def choice(config: Config, host: Host) -> Choice:
    """Which card and which guest: the configuration's first, then what was chosen, which was
    chosen for this machine and not for a simulated or a captured one."""
    kept = load() if host.banner is None else State()
    return Choice(config.guest_gpu or kept.guest_gpu, config.guest or kept.guest)
