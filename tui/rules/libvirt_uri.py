"""Where a libvirt URI leads (https://libvirt.org/uri.html, remote.html).

Some transports run a program, some leave the machine, and a parameter can put any socket in
the place of the daemon's. Root takes none of them: only the URIs in ``LOCAL``, to the letter,
since libvirt and Python do not parse every URI alike.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

SYSTEM = "qemu:///system"
"""The libvirt that knows which guests of this machine have its devices; the default."""

SYSTEM_BY_SOCKET = "qemu+unix:///system"
"""The same, with its transport named."""

LOCAL = frozenset({
    SYSTEM, "qemu:///session", SYSTEM_BY_SOCKET, "qemu+unix:///session",
    "test:///default",
})  # fmt: skip
"""The daemons of this machine at the sockets that libvirt was built with, and libvirt's own
test driver."""

START = "start it with `systemctl start libvirtd` (or virtqemud)"
JOIN = "join the group libvirt and log in again"
"""What to do where that daemon does not run, or lets us not in."""

_REMOTE = frozenset({"ssh", "libssh", "libssh2", "tcp", "tls", "ext"})


def why_not_as_root(uri: str) -> str | None:
    """Why root does not open ``uri``; ``None`` where it does."""
    if uri in LOCAL:
        return None
    where = why_not_this_host(uri) or "is not a local libvirt that vfiotop knows"
    return f"{uri} {where}: root opens {', '.join(sorted(LOCAL))} only"


def why_not_this_host(uri: str) -> str | None:
    """What ``uri`` does beyond asking this machine's daemon, as the rest of a sentence;
    ``None`` where it does nothing."""
    if uri in LOCAL:
        return None
    try:
        parts = urlsplit(uri)
        host, given = parts.hostname, parse_qs(parts.query)
    except ValueError:
        return None
    transport = parts.scheme.partition("+")[2]
    if transport == "ext":
        return f"runs the program {given.get('command', ['that it names'])[0]}"
    program = next((given[key][0] for key in ("command", "netcat") if key in given), None)
    how = f" by {transport}" if transport else ""
    found = (
        (program is not None, f"runs {program} on the way to {host or 'this machine'}"),
        (host is not None or transport in _REMOTE,
         f"is the libvirt of {host or 'localhost'}{how}, not this machine's own"),
        ("socket" in given, f"uses the socket {given.get('socket', [''])[0]}"),
    )  # fmt: skip
    return next((words for there, words in found if there), None)
