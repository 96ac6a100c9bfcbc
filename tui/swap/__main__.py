"""The privileged half of vfiotop: ``python -I -B -m tui.swap launch|run REQUEST``.

``launch`` is what sudo, doas, run0 or pkexec start for an ordinary user; the program ``swap`` of an
installation does that and nothing else. It starts ``run`` in a session of its own, reports the
result in one line of JSON, and exits. ``run`` is the runner: it moves a card and writes the
journal.

All inputs of this half, and who can write them:

===========================================  ==============================================
input                                        who can write it
===========================================  ==============================================
the request on the command line              the user; ``tui.swap.request`` checks each word
environment, limits, signals, umask, folder  the user; shed before anything is imported
descriptors 0 to 2                           the user; one line of reply is written to 1
the interpreter, this code, its libraries    root, or whoever can write the checkout: they
                                             decide what root runs, see SECURITY.md
``config.toml`` in root's own home           root; used only if nobody else can change it,
                                             and only its ``connect``
``/run/vfiotop``: journal and lock           root; parsed by ``tui.host.journal.format``
``/sys``, ``/proc``                          the kernel; names, maps and command lines in
                                             /proc are the processes' own: limited, cleaned
libvirt's local socket                       root's daemon; its definitions are written by
                                             whoever may define domains
``/run/udev/data``, ``pci.ids``              root; used for names only
modprobe's configuration, kernel modules     root
NVML, found by the dynamic loader            root
===========================================  ==============================================

A request names the card, the direction, the plan that was shown and the doubts that were accepted.
The runner takes its own readings and makes its own plan and checks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> None:
    """Run the launcher or the runner and end the process with its exit code."""
    from tui.process.leave import leave  # noqa: PLC0415 - only after isolation

    leave(run(arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the launcher or the runner; returns the exit code."""
    from tui.process import crash, output, privileges  # noqa: PLC0415 - only after isolation

    output.open_missing_streams()
    privileges.reset_process()
    try:
        from tui.swap.entry import launch_main, run_main  # noqa: PLC0415

        ways = {"launch": launch_main, "run": run_main}
        if not arguments or arguments[0] not in ways:
            output.report_error("python -m tui.swap is a private entry of vfiotop")
            return 2
        return ways[arguments[0]](arguments[1:])
    except Exception as error:
        return crash.report_unexpected(error)


if __name__ == "__main__":
    if not sys.flags.isolated:
        # Too late to isolate now: code from PYTHONPATH or the current folder may have run already.
        sys.exit("vfiotop: start this with python -I")
    main(sys.argv[1:])
