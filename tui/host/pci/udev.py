"""Events about PCI functions, from udev or, without udev, from the kernel itself.

libvirt's node devices report nothing when a driver is bound or unbound; these events do. The
``unbind`` event comes only at the end of an unbind, so this also listens for the children that go
before it (DRM, sound, vfio): an unbind that is stuck has already removed them.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pyudev

from tui.host import Wake

SUBSYSTEMS = ("pci", "drm", "sound", "vfio-dev")

UDEVD = Path("/run/udev/control")
"""udevd's socket, which exists while it runs. Its events arrive once its database is written."""


def listen(wake: Wake) -> Callable[[], None]:
    """Call ``wake`` after every burst of events, from a separate thread, until the returned
    function is called.

    Raises ``OSError`` if there are no events: in a container without netlink, or without
    libudev.
    """
    try:
        context = pyudev.Context()
    except ImportError as error:  # pyudev raises this when the C library is missing
        raise OSError(str(error)) from error
    monitor = pyudev.Monitor.from_netlink(context, "udev" if UDEVD.exists() else "kernel")
    for subsystem in SUBSYSTEMS:
        monitor.filter_by(subsystem)
    monitor.start()
    stop, stopped = socket.socketpair()
    threading.Thread(target=_run, args=(monitor, stopped, wake), name="udev", daemon=True).start()
    return stop.close


def _run(monitor: pyudev.Monitor, stopped: socket.socket, wake: Wake) -> None:
    poll = select.poll()
    poll.register(monitor.fileno(), select.POLLIN)
    poll.register(stopped, select.POLLIN)
    with stopped:
        while True:
            ready = dict(poll.poll())
            if stopped.fileno() in ready:
                return
            if _drained(monitor):
                wake()


def _drained(monitor: pyudev.Monitor) -> bool:
    """Take all waiting events; return whether there was one."""
    some = False
    while True:
        try:
            if monitor.poll(timeout=0) is None:
                return some
        except (
            OSError
        ):  # the socket's buffer overflowed: a reading will find what the lost events said
            return True
        some = True
