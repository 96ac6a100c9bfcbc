"""A proxy to libvirtd that loses replies.

The request goes through, and the reply of one procedure does not come back. The wire format is
libvirt's (src/rpc/virnetprotocol.x): a length, then program, version, procedure, type, serial and
status, of four bytes each, big endian.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

REMOTE = 0x20008086
CALL, REPLY = 0, 1
HEADER = struct.Struct(">7I")

CREATE, DESTROY, RESUME, SUSPEND, REBOOT, SHUTDOWN, DEFINE, STATS, LOOKUP = (
    196, 12, 28, 34, 27, 33, 11, 344, 24
)  # fmt: skip
"""REMOTE_PROC_… (src/remote/remote_protocol.x): domain create with flags, destroy, resume, suspend,
reboot, shutdown, define XML, statistics of all domains, look-up by UUID."""

Way = Literal["close", "silence", "drop"]
"""After a lost reply: the connection closes, it hangs, or only that reply is missing."""


class Proxy:
    """``lose`` replies or ``swallow`` requests.

    ``shut``: refuses connections. ``deaf``: accepts them and never replies. With ``_after``, that
    begins with the first lost reply.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._folder = Path(tempfile.mkdtemp(prefix="vfiotop-proxy-"))
        self._folder.chmod(0o755)
        self.path = self._folder / "sock"
        self.uri = f"qemu:///session?socket={self.path}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._lock = threading.Lock()
        self._lose: dict[int, tuple[Way, int]] = {}
        self._sockets: list[socket.socket] = []
        self.shut = self.deaf = self.shut_after = self.deaf_after = False
        self.lost: list[int] = []
        self.swallow: set[int] = set()
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def lose(self, procedure: int, way: Way, nth: int = 1) -> None:
        """Lose the ``nth`` reply from now on."""
        with self._lock:
            self._lose[procedure] = (way, nth)

    def close(self) -> None:
        """End all connections and wait for the threads.

        A thread that was left in a system call could go on in it with the number of a closed
        descriptor, which is then that of another proxy.
        """
        _end(self._listener)
        self._threads[0].join()
        for each in self._sockets:
            _end(each)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._sockets):
            each.close()
        shutil.rmtree(self._folder)

    def _begin(self, run: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            if self.shut:
                client.close()
                continue
            if self.deaf:
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._target))
            self._sockets.append(server)
            for run in (self._there, self._back):
                self._begin(run, client, server)

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (packet := _packet(client)) is not None:
                _, program, _, procedure, kind, *_ = HEADER.unpack_from(packet)
                if (program, kind) == (REMOTE, CALL) and procedure in self.swallow:
                    self.swallow.discard(procedure)
                    break
                server.sendall(packet)
        _end(client)
        _end(server)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        silent = False
        with contextlib.suppress(OSError):
            while (packet := _packet(server)) is not None:
                way = self._loses(packet)
                if way == "close":
                    break
                silent = silent or way == "silence"
                if way is None and not silent:
                    client.sendall(packet)
        _end(client)
        _end(server)

    def _loses(self, packet: bytes) -> Way | None:
        _, program, _, procedure, kind, *_ = HEADER.unpack_from(packet)
        if program != REMOTE or kind != REPLY:
            return None
        with self._lock:
            if procedure not in self._lose:
                return None
            way, left = self._lose.pop(procedure)
            if left > 1:
                self._lose[procedure] = (way, left - 1)
                return None
            self.lost.append(procedure)
            self.shut, self.deaf = self.shut_after, self.deaf_after
            return way


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _packet(connection: socket.socket) -> bytes | None:
    """Read one message with its length; ``None`` at the end."""
    head = _exactly(connection, 4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    body = _exactly(connection, length - 4)
    return None if body is None else head + body


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            return None
        data += more
    return data


@contextlib.contextmanager
def proxied(target: Path) -> Iterator[Proxy]:
    """A proxy to the libvirtd that listens at ``target``."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
