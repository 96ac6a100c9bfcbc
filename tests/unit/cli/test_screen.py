"""What is imported before the first frame, and what is read beside it."""

from __future__ import annotations

import subprocess
import sys

START = """
import sys
from tui.cli import main, screen
with screen.without_ssl():
    import tui.app, tui.session
first = set(sys.modules)
from tui.screens import preload
preload()
print(*sorted(first))
print(*sorted(set(sys.modules) - first))
import ssl
"""


def test_what_the_first_frame_does_not_need_is_imported_after_it() -> None:
    command = [sys.executable, "-c", START]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    first, later = (set(line.split()) for line in output.splitlines())
    assert "tui.screens.overview" in first
    assert "asyncio" in first
    assert "ssl" not in first
    assert "tui.rules.kernel_messages" not in first
    for screen in ("swap", "guest", "roles", "doctor", "help", "device", "settings", "calls"):
        assert f"tui.screens.{screen}" in later
    for package in ("tui.guest.plan", "tui.swap.planning", "tui.host.libvirt.domain_edit"):
        assert package in later
