"""The process that does one write, so that a write which never returns takes nobody with it.

    python -I -S writer.py PATH TEXT

Its exit status is 0, or the errno of what went wrong. It is started with the lock's
descriptor open: the lock is held as long as the kernel is busy with the write.
"""

import os
import sys


def main() -> int:
    """Write the text in one write(2), as the kernel's attributes want it."""
    path, text = sys.argv[1], sys.argv[2]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, text.encode())
    except OSError as error:
        return error.errno or 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
