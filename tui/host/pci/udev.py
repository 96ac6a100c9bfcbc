"""Events about devices, by default PCI functions, from udev or, without udev, from the kernel.

libvirt's node devices report nothing when a driver is bound or unbound; these events do. The
``unbind`` event comes only at the end of an unbind, so this also listens for the child devices
that go before it (DRM, sound, vfio): an unbind that is stuck has already removed them.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pyudev

from tui.host import Wake

SUBSYSTEMS = ("pci", "drm", "sound", "vfio-dev")

UDEVD = Path("/run/udev/control")
"""udevd's socket, which exists while it runs. Its events arrive once its database is written."""


Wanted = Callable[[str, str], bool]
"""Whether an event matters, by its subsystem and its action."""


def _any(_subsystem: str, _action: str) -> bool:
    return True


def listen(
    wake: Wake, subsystems: Sequence[str] = SUBSYSTEMS, wanted: Wanted = _any
) -> Callable[[], None]:
    """Call ``wake`` after every burst of ``wanted`` events, from a separate thread, until the
    returned function is called.

    Raises ``OSError`` if there are no events: in a container without netlink, or without
    libudev.
    """
    try:
        context = pyudev.Context()
    except ImportError as error:  # pyudev raises this when the C library is missing
        raise OSError(str(error)) from error
    monitor = pyudev.Monitor.from_netlink(context, "udev" if UDEVD.exists() else "kernel")
    for subsystem in subsystems:
        monitor.filter_by(subsystem)
    monitor.start()
    stop, stopped = socket.socketpair()
    arguments = (monitor, stopped, wake, wanted)
    threading.Thread(target=_run, args=arguments, name="udev", daemon=True).start()
    return stop.close


def _run(monitor: pyudev.Monitor, stopped: socket.socket, wake: Wake, wanted: Wanted) -> None:
    poll = select.poll()
    poll.register(monitor.fileno(), select.POLLIN)
    poll.register(stopped, select.POLLIN)
    with stopped:
        while True:
            ready = dict(poll.poll())
            if stopped.fileno() in ready:
                return
            if _drained(monitor, wanted):
                wake()


def _drained(monitor: pyudev.Monitor, wanted: Wanted) -> bool:
    """Take all waiting events; return whether one was wanted."""
    some = False
    while True:
        try:
            event = monitor.poll(timeout=0)
        except (
            OSError
        ):  # the socket's buffer overflowed: a reading will find what the lost events said
            return True
        if event is None:
            return some
        some = some or wanted(event.subsystem or "", event.action or "")
