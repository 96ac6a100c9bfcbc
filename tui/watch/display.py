"""Who wants the readings of the cards while no screen is drawn."""

from __future__ import annotations

from typing import Protocol

from tui.model import HostView
from tui.session import Session


class Exports(Protocol):
    """Serves what was read to others. ``attended``: somebody has asked for it recently."""

    @property
    def attended(self) -> bool: ...
    def publish(self, view: HostView, session: Session) -> None: ...


class WatchDisplay:
    """Cards are read while somebody asks for their readings, or always with ``remembers``."""

    output_delay_s = 0.0

    def __init__(self, exports: Exports | None, *, remembers: bool) -> None:
        self._exports, self._remembers = exports, remembers

    @property
    def shows_cards(self) -> bool:
        return self._remembers or (self._exports is not None and self._exports.attended)
