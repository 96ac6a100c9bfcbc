"""libvirt's errors as sentences for the user: what happened, why, what to do.

Codes: https://libvirt.org/html/libvirt-virterror.html
"""

from __future__ import annotations

import errno
from typing import Protocol
from urllib.parse import urlsplit

from tui.host.untrusted import clean, visible
from tui.rules.libvirt_uri import JOIN, START, why_not_this_host

SYSTEM_ERROR = 38
NO_SUPPORT = 3
NO_DOMAIN = 42
TIMED_OUT = 68
AGENT_FAILED = frozenset({86, 112, 113})
"""No agent, one that does not answer in time, one that says no."""
AGENT_SILENT = frozenset({TIMED_OUT, 86, 112})
"""Somebody else asks it and waits, no agent, one that does not answer in time."""

REFUSALS = frozenset({29, 45, 79, 88, 94})
"""Operation denied, authentication failed or cancelled, access denied, and no agent that
could ask for a password."""

_BAD_URI = frozenset({5, 8})
_FROM_URI = 45
_RPC_FAILED, _FROM_RPC = 39, 7
_MESSAGE_LIMIT = 160


class LibvirtError(Protocol):
    """The part of ``libvirt.libvirtError`` that is looked at. For system errors
    ``get_int1`` is the errno."""

    def get_error_code(self) -> int | None: ...
    def get_error_domain(self) -> int | None: ...
    def get_int1(self) -> int | None: ...
    def get_error_message(self) -> str | None: ...


def is_local(uri: str) -> bool:
    """Whether a URI means the libvirt of this machine: it names no host, and no transport that
    could leave it."""
    try:
        parts = urlsplit(uri)
        return not parts.hostname and parts.scheme.partition("+")[2] in ("", "unix")
    except ValueError:
        return False


def is_local_qemu(uri: str) -> bool:
    """Whether the domains of a URI are QEMU processes of this machine."""
    return is_local(uri) and urlsplit(uri).scheme.partition("+")[0] == "qemu"


def is_refusal(error: LibvirtError) -> bool:
    """Whether libvirt is there but does not let us in."""
    if error.get_error_code() == SYSTEM_ERROR:
        return error.get_int1() in (errno.EACCES, errno.EPERM)
    return error.get_error_code() in REFUSALS


def is_lost(error: LibvirtError) -> bool:
    """Whether the way to libvirt failed, and not libvirt: a request may have been carried out
    all the same. A connection that was given up is not alive besides."""
    return error.get_error_code() == _RPC_FAILED or error.get_error_domain() == _FROM_RPC


def why_not_open(error: LibvirtError, uri: str) -> str:
    """A connection that could not be opened."""
    at, said = clean(uri), _message(error)
    if is_refusal(error):
        if is_local(uri):
            return f"you may not use {at}: {JOIN} ({said})"
        return f"{at} refused access: check the login, it cannot be asked for here ({said})"
    if error.get_error_code() in _BAD_URI or error.get_error_domain() == _FROM_URI:
        return f"{why_not_a_uri(uri)} ({said})"
    unreachable = error.get_int1() in (errno.ENOENT, errno.ECONNREFUSED)
    if error.get_error_code() == SYSTEM_ERROR and unreachable and is_local(uri):
        return f"libvirtd is not running, or not for {at}: {START}"
    strange = why_not_this_host(uri)
    what = f", which {strange}" if strange else ""
    return f"libvirt could not be reached at {at}{what}: {said}"


def why_not_a_uri(uri: str) -> str:
    """A URI that means nothing to libvirt."""
    return f"libvirt knows no {clean(uri)}: give another URI with --connect"


def why_lost(error: LibvirtError, uri: str) -> str:
    """A connection that was open and failed; it is opened again by the next reading."""
    return f"the connection to libvirt at {clean(uri)} was lost: {_message(error)}"


def why_unread(error: LibvirtError) -> str:
    """A domain whose definition libvirt did not hand out."""
    return f"libvirt did not give its definition: {_message(error)}"


def why_not_done(error: LibvirtError, what: str, name: str) -> str:
    """An action that libvirt did not take; ``what`` is the action as a verb."""
    code, at, said = error.get_error_code(), visible(name), _message(error)
    if code == NO_DOMAIN:
        return f"“{at}” is not defined any more"
    if is_refusal(error):
        return f"libvirt does not let you {what} “{at}”: join the group libvirt ({said})"
    if code == TIMED_OUT:
        return f"“{at}” is busy with another request: try again ({said})"
    return f"libvirt could not {what} “{at}”: {said}"


def why_agent_failed(error: LibvirtError) -> str:
    """A command that reached a guest's agent, or would have, and was not carried out."""
    code, said = error.get_error_code(), _message(error)
    if code in AGENT_SILENT:
        return f"the guest's agent does not answer ({said})"
    if code == NO_SUPPORT:
        return f"this libvirt does not reach the guest's agent ({said})"
    if is_refusal(error):
        return f"libvirt does not let you ask the guest's agent: join the group libvirt ({said})"
    return f"the guest's agent says no: {said}"


def _message(error: LibvirtError) -> str:
    return clean(error.get_error_message() or "", _MESSAGE_LIMIT) or "no reason given"
