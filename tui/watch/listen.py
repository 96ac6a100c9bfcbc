"""The socket of the metrics, and the token that a client must present."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tui.config import ConfigError
from tui.model.endpoint import Endpoint
from tui.process.files import read_file
from tui.process.output import printable
from tui.process.privileges import only_root_can_change

SOCKET_MODE = 0o660
"""Root and its group. Whoever else is to read the metrics uses a port and a token."""

TOKEN_LIMIT = 1024
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")
"""What RFC 6750 allows in a token, long enough not to be guessed."""


@contextmanager
def listening(at: Endpoint) -> Iterator[socket.socket]:
    """A socket bound there. Raises ``OSError`` with a sentence in ``strerror``."""
    if at.path is None:
        family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((at.host, at.port))
            yield opened
        return
    path = Path(at.path)
    if os.geteuid() == 0 and not only_root_can_change(path.parent):
        raise PermissionError(1, "users other than root can change the socket's folder")
    _remove_stale(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        os.fchmod(opened.fileno(), SOCKET_MODE)  # what bind gives the file, less the umask
        opened.bind(at.path)
        try:
            path.chmod(SOCKET_MODE)
            yield opened
        finally:
            with suppress(OSError):
                path.unlink()


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on any more. Raises ``OSError`` for anything else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(17, "a file that is not a socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        tried.setblocking(False)
        try:
            tried.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise FileExistsError(98, "another program is already listening there")


def token(path: str | None) -> str | None:
    """The token in a file that only its owner, who is root or this user, can read. Raises
    ``ConfigError``."""
    if path is None:
        return None
    place = Path(path)
    try:
        status = place.stat()
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise ValueError("others can read it: chown it to root and chmod it to 600")
        if os.geteuid() == 0 and not only_root_can_change(place):
            raise ValueError("users other than root can change it")
        text = read_file(place, TOKEN_LIMIT).decode("ascii", "replace").strip()
        if not _TOKEN.fullmatch(text):
            raise ValueError("it needs one line of 16 to 512 letters, digits or ._~+/=-")
    except OSError as error:
        raise ConfigError(f"metrics_token_file {printable(path)}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"metrics_token_file {printable(path)}: {error}") from error
    return text
