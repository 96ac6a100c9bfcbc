"""``python -m tests.attack.program WHAT …``: the program on its simulated host, with one thing
changed to reach a moment or a state that is otherwise rare."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from tests.ui.rig import FakeMover, Rig
from tests.ui.test_swap import at_home
from tui import __main__ as entry
from tui.cli.screen import open_screen
from tui.config import Config
from tui.model.requests import SwapRequest
from tui.swap import launch
from tui.terminal.input import InputParser

FOR_EVER = 600.0

PROMPT = "Password of nobody: "
TOOL = f"""
trap 'stty echo; exit 1' INT TERM
stty -echo; printf '{PROMPT}' >&2; read -r word; stty echo; printf 'thanks, pid %s\\n' $$ >&2
echo '{{"id": "first"}}'
"""
"""Asks for a password on the terminal, as sudo does."""


def changed(where: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put something in the place of ``module:Class.method``."""
    module, _, path = where.partition(":")
    *classes, method = path.split(".")
    owner: Any = import_module(module)
    for name in classes:
        owner = getattr(owner, name)
    setattr(owner, method, change(getattr(owner, method)))


def killed(number: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Send the signal once, just before a call."""
    waits = [number]

    def change(call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def instead(*given: Any, **named: Any) -> Any:
            if waits:
                os.kill(os.getpid(), waits.pop())
            return call(*given, **named)

        return instead

    return change


def instead(call: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return lambda _: call


class AskingMover(FakeMover):
    """A mover that asks on the terminal before it begins, like the real one."""

    def begin(self, request: SwapRequest) -> str:
        launch.ELEVATIONS["sudo"] = ("sh", "-c", TOOL)
        return launch.launch_elevated(request, "sudo")


def asking() -> int:
    """Open a host on which a swap asks for a password."""
    rig = Rig()
    at_home(rig)
    rig.mover = AskingMover()
    rig.mover.needs_terminal = True
    return open_screen(replace(rig.host, mover=rig.mover), Config(theme="vfiotop-dark"))


def hang(*_: object) -> None:
    time.sleep(FOR_EVER)


def fail(*_: object) -> None:
    raise ZeroDivisionError("on purpose")


def feed_that_fails(feed: Callable[[InputParser, str], Any]) -> Callable[[InputParser, str], Any]:
    def instead(typed: InputParser, text: str) -> Any:
        return fail() if "!" in text else feed(typed, text)

    return instead


def main(what: str, *arguments: str) -> int:
    """Run it."""
    if what == "asking":
        return asking()
    if what == "killed-at":
        changed(arguments[0], killed(signal.Signals[arguments[1]]))
    elif what == "hung":
        changed("tui.app:VfiotopApp.action_help", instead(hang))
    elif what == "failing":
        changed("tui.app:VfiotopApp.action_help", instead(fail))
    elif what == "deaf":
        changed("tui.terminal.input:InputParser.feed", feed_that_fails)
    sys.argv = ["vfiotop", "--demo"]
    return entry.main()


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
