"""Changes of PCI functions as they happen, through udev or, without it, the kernel itself.

libvirt's node devices emit nothing when a driver is bound or unbound; these events do. The
``unbind`` event comes only at the end of an unbind, so the children that go before it (DRM,
sound, vfio) are listened to as well: one that is stuck has lost them already.
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
"""udevd's socket: there while it runs. Its events come once its database is written."""


def listen(wake: Wake) -> Callable[[], None]:
    """Call ``wake`` after every burst of events, from a thread of its own, until the
    returned function is called. Raises ``OSError`` where events cannot be had: in a
    container without netlink, or without libudev."""
    try:
        context = pyudev.Context()
    except ImportError as error:  # how pyudev says that the C library is not there
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
    """Take all events that wait; whether there was one."""
    some = False
    while True:
        try:
            if monitor.poll(timeout=0) is None:
                return some
        except OSError:  # the socket's buffer ran over: events are lost, a reading finds them
            return True
        some = True
