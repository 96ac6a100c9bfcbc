"""Turns libvirt's errors into sentences: what happened, why, what to do.

Codes: https://libvirt.org/html/libvirt-virterror.html
"""

from __future__ import annotations

import errno
from typing import Protocol
from urllib.parse import urlsplit

from tui.host.libvirt.daemon import why_not_running
from tui.host.tree import MACHINE, Tree
from tui.host.untrusted import clean, visible
from tui.rules.libvirt_uri import JOIN, START, SYSTEM, SYSTEM_BY_SOCKET, why_not_this_host

SYSTEM_ERROR = 38
NO_SUPPORT = 3
NO_DOMAIN = 42
TIMED_OUT = 68
AGENT_FAILED = frozenset({86, 112, 113})
"""No agent, no reply in time, an error from the agent."""
AGENT_SILENT = frozenset({TIMED_OUT, 86, 112})
"""The agent is busy with another request, no agent, no reply in time."""

REFUSALS = frozenset({29, 45, 79, 88, 94})
"""Operation denied, authentication failed or cancelled, access denied, no agent to ask for a
password (polkit)."""

_BAD_URI = frozenset({5, 8})
_FROM_URI = 45
_RPC_FAILED, _FROM_RPC = 39, 7
_MESSAGE_LIMIT = 160


class LibvirtError(Protocol):
    """The part of ``libvirt.libvirtError`` used here. ``get_int1`` is a system error's errno."""

    def get_error_code(self) -> int | None: ...
    def get_error_domain(self) -> int | None: ...
    def get_int1(self) -> int | None: ...
    def get_error_message(self) -> str | None: ...


def is_local(uri: str) -> bool:
    """Whether a URI means this machine's libvirt: it names no host and no remote transport."""
    try:
        parts = urlsplit(uri)
        return not parts.hostname and parts.scheme.partition("+")[2] in ("", "unix")
    except ValueError:
        return False


def is_local_qemu(uri: str) -> bool:
    """Whether the domains of a URI are QEMU processes on this machine."""
    return is_local(uri) and urlsplit(uri).scheme.partition("+")[0] == "qemu"


def is_refusal(error: LibvirtError) -> bool:
    """Whether libvirt is running but denies access."""
    if error.get_error_code() == SYSTEM_ERROR:
        return error.get_int1() in (errno.EACCES, errno.EPERM)
    return error.get_error_code() in REFUSALS


def is_lost(error: LibvirtError) -> bool:
    """Whether the connection failed, and not the request: it may have been carried out.

    A connection that libvirt dropped is also no longer alive, which callers check.
    """
    return error.get_error_code() == _RPC_FAILED or error.get_error_domain() == _FROM_RPC


def why_not_open(error: LibvirtError, uri: str, root: Tree = MACHINE) -> str:
    """A connection could not be opened from the machine with the files in ``root``."""
    at, said = clean(uri), _message(error)
    if is_refusal(error):
        if is_local(uri):
            return f"access to {at} is denied: {JOIN} ({said})"
        return (
            f"{at} refused access: check the credentials; vfiotop does not prompt for them ({said})"
        )
    if error.get_error_code() in _BAD_URI or error.get_error_domain() == _FROM_URI:
        return f"{why_not_a_uri(uri)} ({said})"
    unreachable = error.get_int1() in (errno.ENOENT, errno.ECONNREFUSED)
    if error.get_error_code() == SYSTEM_ERROR and unreachable and is_local(uri):
        if uri in (SYSTEM, SYSTEM_BY_SOCKET):
            return why_not_running(root, at)
        return f"libvirtd is not running, or does not serve {at}: {START}"
    strange = why_not_this_host(uri)
    what = f", which {strange}" if strange else ""
    return f"libvirt could not be reached at {at}{what}: {said}"


def why_not_a_uri(uri: str) -> str:
    """libvirt does not understand a URI."""
    return f"libvirt does not understand the URI {clean(uri)}: give another one with --connect"


def why_lost(error: LibvirtError, uri: str) -> str:
    """An open connection failed; the next reading opens it again."""
    return f"the connection to libvirt at {clean(uri)} was lost: {_message(error)}"


def why_unread(error: LibvirtError) -> str:
    """libvirt did not return a domain's definition."""
    return f"libvirt did not return its definition: {_message(error)}"


def why_not_done(error: LibvirtError, what: str, name: str) -> str:
    """libvirt refused an action; ``what`` is the action as a verb."""
    code, at, said = error.get_error_code(), visible(name), _message(error)
    if code == NO_DOMAIN:
        return f"“{at}” is no longer defined"
    if is_refusal(error):
        return f"libvirt does not let you {what} “{at}”: join the group libvirt ({said})"
    if code == TIMED_OUT:
        return f"“{at}” is busy with another request: try again ({said})"
    return f"libvirt could not {what} “{at}”: {said}"


def why_agent_failed(error: LibvirtError) -> str:
    """A command to a guest's agent failed."""
    code, said = error.get_error_code(), _message(error)
    if code in AGENT_SILENT:
        return f"the guest's agent does not respond ({said})"
    if code == NO_SUPPORT:
        return f"this libvirt cannot reach the guest's agent ({said})"
    if is_refusal(error):
        return f"libvirt does not let you ask the guest's agent: join the group libvirt ({said})"
    return f"the guest's agent refused: {said}"


def _message(error: LibvirtError) -> str:
    return clean(error.get_error_message() or "", _MESSAGE_LIMIT) or "no reason given"
