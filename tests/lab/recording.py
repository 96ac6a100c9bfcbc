"""What a screen showed, frame by frame, for screenshots/."""

from __future__ import annotations

import time
from pathlib import Path

from tests.lab.terminal import Terminal
from tests.lab.vm import RESULTS


class Recording:
    """A recording of a screen as text, one frame per request."""

    def __init__(self, screen: Terminal) -> None:
        self._screen, self._began = screen, time.monotonic()
        self._frames: list[str] = []

    def frame(self, title: str, screen: Terminal | None = None) -> None:
        at = time.monotonic() - self._began
        text = (screen or self._screen).text()
        self._frames.append(f"--- {at:5.1f} s: {title}\n{text}\n")

    def write(self, name: str) -> None:
        Path(RESULTS, name).write_text("\n".join(self._frames), encoding="utf-8")
