"""Becomes an ordinary user and runs a program, in a process of its own.

    python -I -S as_user.py BEGUN UID GID GROUP,… PROGRAM [ARGUMENT…]

BEGUN is the descriptor of a pipe. A byte there tells the watch that systemd-run, which may come
before this, has done its part.

From setuid(2) on, that user may stop the process. If subprocess changed the user, the watch would
wait until the program runs, and so perhaps for ever; and its child is a copy of the watch.
"""

import os
import signal
import sys

CANNOT_RUN = 127
"""The exit status if the program cannot be run, as in a shell."""


def main() -> int:
    """Replace this process with the program. Returns only if that fails."""
    begun, uid, gid, groups, *command = sys.argv[1:]
    os.write(int(begun), b"1")
    os.close(int(begun))
    os.environ.pop("INVOCATION_ID", None)  # that of a scope, which systemd-run sets
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, when it starts
        signal.signal(ignored, signal.SIG_DFL)
    os.setgroups([int(group) for group in groups.split(",")])
    os.setgid(int(gid))
    os.setuid(int(uid))
    try:
        os.execvp(command[0], command)  # noqa: S606  # nosec B606
    except OSError as error:
        os.write(2, f"it cannot be run: {error.strerror}".encode())
    return CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main())
