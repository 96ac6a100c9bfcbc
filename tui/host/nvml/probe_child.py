"""The process that asks NVML once whether it sees a card, and is gone.

    python -I -S -B probe_child.py FOLDER_OF_PYNVML ADDRESS

Its exit status is 0 where NVML sees it, ``UNSEEN`` where it does not, and another one where
NVML itself cannot be asked: no library, or another version than the kernel's module.
"""

import sys

NOT_VISIBLE = 4
NVML_UNAVAILABLE = 5


def main() -> int:
    """nvmlInit and nvmlDeviceGetHandleByPciBusId."""
    sys.path.insert(0, sys.argv[1])
    try:
        import pynvml  # noqa: PLC0415
    except ImportError:
        return NVML_UNAVAILABLE
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return NVML_UNAVAILABLE
    try:
        pynvml.nvmlDeviceGetHandleByPciBusId(sys.argv[2].encode())
    except pynvml.NVMLError:
        return NOT_VISIBLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
