"""``python reaper.py UID GID PROGRAM …``: runs a program as a user, and reaps all of its orphans.

libvirt takes a QEMU to be alive until it is reaped. QEMU is an orphan, and the init of a container
or of a small virtual machine may take seconds to reap it. Standard output is closed when the
program has ended; the reaper ends with the last orphan.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36


def main(user: str, group: str, *command: str) -> None:
    """Run it; an empty ``user`` is the current one."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    program = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        user=int(user) if user else None,
        group=int(group) if user else None,
        extra_groups=[] if user else None,
    )
    while True:
        try:
            pid, _ = os.wait()
        except ChildProcessError:
            return
        if pid == program.pid:
            os.close(sys.stdout.fileno())


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # standard output is closed, and Python would flush it
