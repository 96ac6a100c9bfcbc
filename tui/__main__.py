"""``vfiotop``, and ``python -m tui``: the program from its first moment to its last.

What can go wrong before and around ``tui.cli.main`` is dealt with here: Ctrl-C, missing standard
streams, and whatever nobody expected. Until Ctrl-C is taken care of, nothing is imported that
takes time.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Run ``vfiotop`` and return its exit code. Does not return after Ctrl-C."""
    # A shell that starts a job in the background has it ignored, and so it stays.
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupts:  # until there is somebody to catch KeyboardInterrupt
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.geteuid() == 0:  # root leaves no compiled files in a user's checkout
        sys.dont_write_bytecode = True
    from tui.process import crash, output, privileges  # noqa: PLC0415

    output.open_missing_streams()
    # Who started this may have it ignored: then every child seems to have ended with 0.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.geteuid() == 0:
        privileges.clean_environment()
    else:
        privileges.ensure_home()
    crash.silence_tracebacks()
    try:
        from tui.cli import main as cli  # noqa: PLC0415 - a tenth of a second, in which much can fail

        if interrupts:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return cli.main()
    except KeyboardInterrupt:
        return _end_by_interrupt()
    except Exception as error:
        return crash.report_unexpected(error)
    finally:
        if interrupts:  # Python's own end is no place for a KeyboardInterrupt either
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end_by_interrupt() -> int:
    """End by SIGINT, so that a shell script which started this ends as well (bash(1),
    SIGNALS). Returns what a shell makes of that, where SIGINT is blocked."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
