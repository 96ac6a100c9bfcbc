"""The privileged half of vfiotop: ``python -I -B -m tui.swap launch|run REQUEST``.

``launch`` is what sudo, doas or run0 start for an ordinary user: it starts ``run`` in a
session of its own, says in one line of JSON what came of that, and ends. ``run`` is the
runner: it moves a card and writes the journal.

Everything that this half takes in, and who may write it:

===========================================  ==============================================
input                                        who may write it
===========================================  ==============================================
the request on the command line              the user; ``tui.swap.request`` checks each word
environment, limits, signals, umask, folder  the user; shed before anything is imported
descriptors 0 to 2                           the user; one line of answer is written to 1
the interpreter, this code, its libraries    root, or whoever may write the checkout: they
                                             decide what root runs, see SECURITY.md
``config.toml`` in root's own home           root; believed only if nobody else can change
                                             it, and only its ``connect`` is used
``/run/vfiotop``: journal and lock           root; read strictly by ``tui.host.journal.file``
``/sys``, ``/proc``                          the kernel; names, maps and command lines in
                                             /proc are the processes' own: bounded, cleaned
libvirt's local socket                       root's daemon; the definitions that it hands
                                             out are written by whoever may define domains
``/run/udev/data``, ``pci.ids``              root; used for names only
modprobe's configuration, kernel modules     root
NVML, found by the dynamic loader            root
===========================================  ==============================================

A request says which card, which way, which plan was shown and which doubts were accepted.
The plan, the checks and the readings behind them are made here, anew.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Be the launcher or the runner; the exit code."""
    from tui.process import crash, output, privileges  # noqa: PLC0415 - not before it is isolated

    output.open_missing_streams()
    privileges.reset_process()
    try:
        from tui.swap.entry import launched, served  # noqa: PLC0415

        ways = {"launch": launched, "run": served}
        if not arguments or arguments[0] not in ways:
            output.report_error("python -m tui.swap is started by vfiotop itself")
            return 2
        return ways[arguments[0]](arguments[1:])
    except Exception as error:
        return crash.report_unexpected(error)


if __name__ == "__main__":
    if not sys.flags.isolated:
        # What PYTHONPATH and the current folder bring in has had its turn already.
        sys.exit("vfiotop: start this with python -I")
    sys.exit(main(sys.argv[1:]))
