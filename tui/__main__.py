"""The entry point of ``vfiotop`` and ``python -m tui``.

Handles what can go wrong before and around ``tui.cli.main``: Ctrl-C, missing standard streams and
unexpected errors. Imports nothing slow before Ctrl-C is handled.
"""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> None:
    """Run ``vfiotop`` and end the process with its exit code."""
    code = run()
    from tui.process.leave import leave  # noqa: PLC0415 - not before root is kept from compiling

    leave(code)


def run() -> int:
    """Run ``vfiotop`` and return its exit code. Does not return after Ctrl-C."""
    # A shell ignores SIGINT for jobs it starts in the background; keep it ignored.
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupts:  # until there is code to catch KeyboardInterrupt
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.geteuid() == 0:  # leave no files owned by root in a user's checkout
        sys.dont_write_bytecode = True
    from tui.process import crash, imports, output, privileges  # noqa: PLC0415

    output.open_missing_streams()
    # If our parent ignores SIGCHLD, so do we, and every child appears to exit with 0.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.geteuid() == 0:
        privileges.clean_environment()
    else:
        privileges.ensure_home()
    crash.silence_tracebacks()
    gc.disable()  # imported modules stay: searching them for cycles takes a tenth of the start
    try:
        with imports.hidden(imports.WITH_TYPING):
            from tui.cli import main as cli  # noqa: PLC0415 - takes 0.1 s and may fail

        if interrupts:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return cli.main()
    except KeyboardInterrupt:
        return _end_by_interrupt()
    except Exception as error:
        return crash.report_unexpected(error)
    finally:
        if interrupts:  # nothing catches KeyboardInterrupt from here on
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end_by_interrupt() -> int:
    """Die by SIGINT, so that a calling shell script stops too (bash(1), SIGNALS). Returns the
    exit code that a shell would report, if SIGINT is blocked."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    return 128 + signal.SIGINT


if __name__ == "__main__":
    main()
