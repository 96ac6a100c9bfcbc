"""Opens the screen: what ``vfiotop`` does without a command."""

from __future__ import annotations

import argparse
import gc
import locale
import os
import threading
import time

from tui import config
from tui.cli.exits import DONE, FAILED, STUCK, USAGE, fail
from tui.host import Host, Unsettled

SETTLED_S = 2.0
"""Seconds from the first frame until the start of the screen is over."""

COLLECT = (10_000, 20, 5)
"""Python's thresholds for collecting cycles (gc.set_threshold). A reading creates a few thousand
objects, hardly any of them in a cycle. A closed screen is a cycle of ten thousand objects, which
only a collection of all generations finds."""


def run(host: Host, settings: config.Config, _arguments: argparse.Namespace) -> int:
    """Run ``vfiotop`` without a command."""
    return open_screen(host, settings)


def open_screen(host: Host, settings: config.Config) -> int:
    """Show the screen until the user quits. Returns the exit code; does not return if a signal ends
    the program."""
    from tui.terminal.tty import NoTerminal, shows_utf8, standard_tty  # noqa: PLC0415

    try:
        tty = standard_tty()
    except NoTerminal as error:
        return fail(
            f"the screen needs a terminal, and {error}; `vfiotop status` prints one reading", USAGE
        )
    encoding = locale.getencoding()
    if not shows_utf8(encoding):
        return fail(
            f"the screen needs UTF-8, and this locale uses {encoding}; set LC_ALL=C.UTF-8 if the "
            "terminal shows that, or use `vfiotop status`",
            USAGE,
        )
    from tui.sampler import Readers  # noqa: PLC0415
    from tui.terminal.ending import Ending  # noqa: PLC0415

    with Ending(host.close, tty, settle=lambda: _finish(DONE)) as ending:
        # Objects created during the start stay. Searching them for cycles again and again takes a
        # tenth of the start time and a quarter of the CPU time afterwards.
        gc.disable()
        readers = Readers(host, settings.interval)
        threading.Thread(target=_settle, args=(readers.started,), daemon=True).start()
        readers.start_first()
        for name in ("COLUMNS", "LINES"):  # the terminal itself reports its size
            os.environ.pop(name, None)
        # Slow to import; the readers work in the meantime.
        from tui.terminal.lean import lean_imports  # noqa: PLC0415

        with lean_imports():
            from tui.app import VfiotopApp  # noqa: PLC0415
            from tui.session import Session  # noqa: PLC0415

        session = Session(host, settings, readers)
        app = VfiotopApp(session, ending)
        app.run()
    if app.failure is not None:
        raise app.failure
    return _finish(DONE if app.return_code in (0, None) else FAILED)


def _finish(code: int) -> int:
    """Wait for actions on a guest that the screen has left running. Returns the exit code:
    ``code`` unless one of them fails."""
    from tui.background import finish  # noqa: PLC0415

    try:
        failed = finish(lambda sentence: fail(sentence, FAILED))
    except KeyboardInterrupt:
        return fail("did not wait for it to finish; `vfiotop status` shows the result", STUCK)
    return STUCK if isinstance(failed, Unsettled) else FAILED if failed else code


def _settle(first_frame: threading.Event) -> None:
    """Do what can wait until the first frames are drawn. Not sooner, however slow the machine is:
    of two threads that import Textual at the same time, one may get a module that is half loaded,
    because Textual's modules import each other."""
    first_frame.wait()
    time.sleep(SETTLED_S)
    from tui.screens import preload  # noqa: PLC0415

    preload()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    gc.enable()
