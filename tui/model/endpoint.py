"""Where the watch serves its metrics: a port of this machine only, or a unix socket."""

from __future__ import annotations

import ipaddress
import re
from pathlib import PurePosixPath

from msgspec import Struct

SOCKET_PATH_LIMIT = 100
"""Bytes of a socket's path: 107 at most fit (unix(7))."""

_PORT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:]{2,39})\]|(?P<v4>[0-9.]{7,15})):(?P<port>[0-9]{1,5})")
_SOCKET = "unix:"


class Endpoint(Struct, frozen=True):
    """A loopback address with a port, or the ``path`` of a unix socket."""

    host: str = ""
    port: int = 0
    path: str | None = None


def endpoint(text: str) -> Endpoint | None:
    """Read ``127.0.0.1:9835``, ``[::1]:9835`` or ``unix:/run/vfiotop/metrics.sock``; ``None`` for
    an empty text. Raises ``ValueError``."""
    if not text:
        return None
    if text.startswith(_SOCKET):
        return Endpoint(path=_socket_path(text.removeprefix(_SOCKET)))
    found = _PORT.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValueError("it must be like 127.0.0.1:9835, [::1]:9835 or unix:/run/vfiotop/x.sock")
    host = ipaddress.ip_address(found["v6"] or found["v4"])
    if not host.is_loopback:
        raise ValueError(
            f"{host} can be reached from other machines: use 127.0.0.1 or [::1], and a reverse "
            "proxy for others"
        )
    return Endpoint(str(host), int(found["port"]))


def _socket_path(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not path.startswith("/") or ".." in parts or path.endswith("/"):
        raise ValueError("the socket needs the full path of a file")
    if not path.isprintable() or len(path.encode()) > SOCKET_PATH_LIMIT:
        raise ValueError(f"the path of a socket has at most {SOCKET_PATH_LIMIT} bytes")
    return path
