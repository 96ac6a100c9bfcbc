"""A swap whose tool asks for a password on the terminal."""

from __future__ import annotations

from msgspec.structs import replace

from tests.ui.rig import FakeMover, Rig, at_home
from tui.cli.screen import open_screen
from tui.config import Config
from tui.model.requests import SwapRequest
from tui.swap import launch

PROMPT = "Password of nobody: "
TOOL = f"""
trap 'stty echo; exit 1' INT TERM
stty -echo; printf '{PROMPT}' >&2
until read -r -t 0.2 word; do [ $? -gt 128 ] || exit 1; done
stty echo; printf 'thanks, pid %s\\n' $$ >&2
echo '{{"id": "first"}}'
"""
"""Asks for a password on the terminal, as sudo does. If a signal comes right before read(2), the
shell runs its trap only after read(2) returns, so each read times out after a moment."""


class AskingMover(FakeMover):
    """A mover that asks on the terminal before it begins, like the real one."""

    def begin(self, request: SwapRequest) -> str:
        launch.ELEVATION_COMMANDS["sudo"] = ("bash", "-c", TOOL)
        return launch.launch_elevated(request, "sudo")


def asking() -> int:
    """Open a host on which a swap asks for a password."""
    rig = Rig()
    at_home(rig)
    rig.mover = AskingMover()
    rig.mover.needs_terminal = True
    return open_screen(replace(rig.host, mover=rig.mover), Config(theme="vfiotop-dark"))
