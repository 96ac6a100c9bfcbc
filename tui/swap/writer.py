"""Does one write in a process of its own, so that a write that hangs blocks nobody else.

    python -I -S writer.py PATH TEXT

Exits with 0 or the errno. It inherits the descriptor of the lock, which is therefore held for as
long as the kernel is busy with the write.
"""

import os
import sys


def main() -> int:
    """Write the text in one write(2), as sysfs attributes require."""
    path, text = sys.argv[1], sys.argv[2]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, text.encode())
    except OSError as error:
        return error.errno or 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
