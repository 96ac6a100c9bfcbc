"""What vfiotop remembers between runs (JSON, separate from the configuration): the theme, the
layouts, how events are announced, and the card and guest that the user chose."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import asdict

from tui.config import MAX_BYTES, Config, address, name
from tui.host import Host
from tui.model import looks_like_uuid
from tui.process.files import read_file, write_atomically
from tui.process.folders import state_folder
from tui.rules.roles import Choice

Layout = Literal["full", "gaming", "groups", "phone"]
"""Which panels the overview shows."""

SizeClass = Literal["wide", "desk", "normal", "sideways", "phone"]
"""Terminals of similar size; a layout is chosen for each class."""

Layouts = dict[SizeClass, Layout]

Alert = Literal["bell", "desktop"]
"""How events are announced outside the screen."""

_lock = threading.Lock()
"""Held while the file is changed: fields are saved from several threads."""


class State(Struct, frozen=True):
    """The user's choices; ``None``: not chosen."""

    theme: str | None = None
    guest_gpu: str | None = None
    guest: str | None = None
    layouts: Layouts = {}
    alerts: tuple[Alert, ...] = ()


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
        layouts=_layouts(saved.get("layouts")),
        alerts=_alerts(saved.get("alerts")),
    )


def _valid(value: object, check: Callable[[str], str]) -> str | None:
    try:
        return check(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _layouts(value: object) -> Layouts:
    """The pairs of a size class and a layout that exist."""
    found = value.items() if isinstance(value, dict) else ()
    known = get_args(SizeClass), get_args(Layout)
    return {size: layout for size, layout in found if size in known[0] and layout in known[1]}


def _alerts(value: object) -> tuple[Alert, ...]:
    found = value if isinstance(value, list) else []
    return tuple(alert for alert in get_args(Alert) if alert in found)


def save(**changes: str | tuple[Alert, ...] | None) -> None:
    """Change some fields of the saved state. Raises ``OSError``."""
    with _lock:
        _write(asdict(load()) | changes)


def save_layout(size: SizeClass, layout: Layout) -> None:
    """Save the layout for terminals of a size class. Raises ``OSError``."""
    with _lock:
        saved = asdict(load())
        _write(saved | {"layouts": saved["layouts"] | {size: layout}})


def _write(fields: dict[str, object]) -> None:
    folder().mkdir(parents=True, exist_ok=True)
    write_atomically(_file(), json.dumps(fields))


def in_background(change: Callable[[], None]) -> None:
    """Save a change of preference on a thread, if the home directory is writable."""

    def save_it() -> None:
        with contextlib.suppress(OSError):
            change()

    with contextlib.suppress(RuntimeError):  # no thread can be started
        threading.Thread(target=save_it, daemon=True).start()


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
