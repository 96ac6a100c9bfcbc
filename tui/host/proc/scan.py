"""The process that inspects all others for who has a device, so that nothing else of vfiotop hangs.

    python -I -S -B scan.py PROC DEV BEAT SECONDS [PID:STAGE:START]...

Its stdin has the nodes, one a line: ``c 226 1 card1``. Its answer is one Python literal, the value
of ``tui.host.proc.processes.scan``. It writes its position to the file BEAT, so that the parent
knows which process blocks it. It takes up to SECONDS for one process. For the process PID that
started at START, it skips everything from STAGE on.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # empty packages: loading the whole model takes longer than a scan
    _HERE = os.path.dirname(os.path.abspath(__file__))
    for _name, _up in (("tui", "../.."), ("tui.host", ".."), ("tui.host.proc", ".")):
        sys.modules[_name] = type(sys)(_name)
        sys.modules[_name].__path__ = [os.path.normpath(os.path.join(_HERE, _up))]

from tui.host.proc.heartbeat import Heartbeat
from tui.host.proc.processes import scan

TYPE_CHECKING = False  # typing takes longer to load than all of this
if TYPE_CHECKING:
    from tui.host.proc.file_numbers import DeviceNumber


def main() -> int:
    """Answer the request on stdin."""
    proc, dev, beat, seconds, *left_out = sys.argv[1:]
    wanted: dict[DeviceNumber, str] = {}
    for line in sys.stdin.read().splitlines():
        kind, major, minor, name = line.split(" ", 3)
        wanted[kind, int(major), int(minor)] = name
    skipped: dict[int, tuple[int, int]] = {}
    for each in left_out:
        pid, stage, start = each.split(":")
        skipped[int(pid)] = int(stage), int(start)
    try:
        found = scan(proc, dev, wanted, Heartbeat(int(beat), float(seconds)), skipped)
    except OSError as error:
        found = {"error": error.strerror or str(error)}
    sys.stdout.write(ascii(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
