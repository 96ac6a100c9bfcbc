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

from tui import __main__ as entry
from tui.terminal.input import InputParser

FOR_EVER = 600.0


def changed(where: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace ``module:Class.method`` by what ``change`` makes of it."""
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


def hang(*_: object) -> None:
    time.sleep(FOR_EVER)


def fail(*_: object) -> None:
    raise ZeroDivisionError("on purpose")


def feed_that_fails(feed: Callable[[InputParser, str], Any]) -> Callable[[InputParser, str], Any]:
    def instead(typed: InputParser, text: str) -> Any:
        return fail() if "!" in text else feed(typed, text)

    return instead


def main(what: str, *arguments: str) -> None:
    """Run it, and end the process as it does."""
    if what == "asking":
        from tests.attack.asking import asking  # slow to import, and only needed here

        raise SystemExit(asking())
    if what == "killed-at":
        changed(arguments[0], killed(signal.Signals[arguments[1]]))
    elif what == "hung":
        changed("tui.app:VfiotopApp.action_help", instead(hang))
    elif what == "failing":
        changed("tui.app:VfiotopApp.action_help", instead(fail))
    elif what == "deaf":
        changed("tui.terminal.input:InputParser.feed", feed_that_fails)
    sys.argv = ["vfiotop", "--demo"]
    entry.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
