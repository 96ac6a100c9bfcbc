"""What a libvirt URI connects to (https://libvirt.org/uri.html, remote.html).

Some transports run a program, some connect to another machine, and a parameter can replace the
daemon's socket with any other. As root we accept none of these, only the exact URIs in ``LOCAL``:
libvirt and Python do not parse every URI in the same way.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tui.model import SYSTEM_URI

SYSTEM = SYSTEM_URI
"""The default."""

SYSTEM_BY_SOCKET = "qemu+unix:///system"
"""The same, with an explicit transport."""

LOCAL = frozenset({
    SYSTEM, "qemu:///session", SYSTEM_BY_SOCKET, "qemu+unix:///session",
    "test:///default",
})  # fmt: skip
"""This machine's daemons at the sockets that libvirt was built with, and libvirt's test driver."""

START_LIBVIRTD = "start it with `systemctl start libvirtd`"
START_VIRTQEMUD = "start it with `systemctl start virtqemud.socket`"
START = f"{START_LIBVIRTD} (or virtqemud)"
INSTALL = "install libvirt and QEMU"
JOIN = "join the group libvirt and log in again"
"""The fixes if the daemon does not run, is not there, or refuses us."""

NOT_THE_SYSTEMS = "does not know which guest has the devices of this machine"

SESSION = (
    "runs guests without root: as a rule they may not open a card in /dev/vfio or lock their "
    f"memory, and it {NOT_THE_SYSTEMS}"
)
"""What other libvirts lack, as predicates (https://libvirt.org/drvqemu.html)."""

_REMOTE = frozenset({"ssh", "libssh", "libssh2", "tcp", "tls", "ext"})


def why_not_as_root(uri: str) -> str | None:
    """Why we do not open ``uri`` as root; ``None`` if we do."""
    if uri in LOCAL:
        return None
    where = why_not_this_host(uri) or "is not a local libvirt that vfiotop knows"
    return f"{uri} {where}: root may open only {', '.join(sorted(LOCAL))}"


def why_not_this_host(uri: str) -> str | None:
    """What ``uri`` does other than connect to this machine's daemon, as a predicate; ``None`` if
    it does nothing else."""
    if uri in LOCAL:
        return None
    try:
        parts = urlsplit(uri)
        host, given = parts.hostname, parse_qs(parts.query)
    except ValueError:
        return None
    transport = parts.scheme.partition("+")[2]
    if transport == "ext":
        return _printable(f"runs the program {given.get('command', ['that it names'])[0]}")
    program = next((given[key][0] for key in ("command", "netcat") if key in given), None)
    how = f" over {transport}" if transport else ""
    found = (
        (program is not None, f"runs {program} on the way to {host or 'this machine'}"),
        (host is not None or transport in _REMOTE,
         f"is libvirt on {host or 'localhost'}{how}, not on this machine"),
        ("socket" in given, f"uses the socket {given.get('socket', [''])[0]}"),
    )  # fmt: skip
    return next((_printable(words) for there, words in found if there), None)


def why_not_the_systems(uri: str) -> str | None:
    """Why ``uri`` cannot start guests with a card of this machine, as a predicate; ``None`` if it
    is the system's."""
    if uri in (SYSTEM, SYSTEM_BY_SOCKET):
        return None
    elsewhere = why_not_this_host(uri)
    if elsewhere is not None:
        return elsewhere
    return SESSION if uri.partition("?")[0].endswith(":///session") else NOT_THE_SYSTEMS


def _printable(words: str) -> str:
    """Without control characters, which a URI may contain as ``%1b``."""
    return "".join(c if c.isprintable() else "�" for c in words)
