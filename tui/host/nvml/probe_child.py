"""The process that asks NVML once whether it sees a card, and is gone.

    python -I -S -B probe_child.py FOLDER_OF_PYNVML ADDRESS

Its exit status is 0 where NVML sees it, ``UNSEEN`` where it does not, and another one where
NVML itself cannot be asked: no library, or another version than the kernel's module.
"""

import sys

UNSEEN = 4
UNASKED = 5


def main() -> int:
    """nvmlInit and nvmlDeviceGetHandleByPciBusId."""
    sys.path.insert(0, sys.argv[1])
    try:
        import pynvml  # noqa: PLC0415
    except ImportError:
        return UNASKED
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return UNASKED
    try:
        pynvml.nvmlDeviceGetHandleByPciBusId(sys.argv[2].encode())
    except pynvml.NVMLError:
        return UNSEEN
    return 0


if __name__ == "__main__":
    sys.exit(main())
