"""The process that asks NVML once whether it sees a card, and exits.

    python -I -S -B probe_child.py PYNVML_FOLDER ADDRESS

Its exit status is 0 if NVML sees the card and ``NOT_VISIBLE`` if it does not.
``NVML_UNAVAILABLE`` means that NVML itself does not work: there is no library, or its version
differs from the kernel module's.
"""

import sys

NOT_VISIBLE = 4
NVML_UNAVAILABLE = 5


def main() -> int:
    """Call nvmlInit and nvmlDeviceGetHandleByPciBusId."""
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
