"""Names of domains: as a user types them, and as a command for the user to copy needs them.

The UUID identifies a domain. libvirt keeps names unique too, but two names may look the same, and
virsh takes some names for something else. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Protocol, TypeVar

SYSTEM_URI = "qemu:///system"
"""The libvirt that knows which guests have the devices of this machine."""

WORD_LIMIT = 64
"""The longest name to use in a command. A longer one is cut when it is drawn."""

_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
"""Printable ASCII with single spaces inside: looks like what it is, and survives wrapping."""

_FRAGILE = frozenset("'\"`\\!")
"""Characters that end a quotation in some shell, or in the sentence around the command."""

_ID = re.compile(r"[+-]?[0-9]+")
"""virsh takes a number, as strtol(3) reads it, for the id of a running domain."""

_UUID = re.compile(r"\{?(?:[0-9a-fA-F]-?){32}\}?")
"""What virsh and libvirt take for a UUID, with or without dashes (virUUIDParse)."""

_IN_BRACES = re.compile(r"\{([^{}]*)\}")


class Named(Protocol):
    """Anything with a name and a UUID."""

    @property
    def raw_name(self) -> str: ...
    @property
    def uuid(self) -> str: ...


N = TypeVar("N", bound=Named)


def shell_word(name: str, uuid: str) -> str:
    """One shell word that names the domain and no other, to virsh and to vfiotop: its raw
    ``name``, quoted if necessary, or its UUID if a reader, a shell or virsh could mistake the
    name."""
    return shlex.quote(name if _is_unambiguous(name) else uuid)


def virsh(*words: str, uri: str = SYSTEM_URI) -> str:
    """A command of virsh for the user to copy. It names the connection: without one, an ordinary
    user's virsh asks that user's own libvirt (virsh(1))."""
    return " ".join(("virsh", "-c", shlex.quote(uri), *words))


def _is_unambiguous(name: str) -> bool:
    return (
        len(name) <= WORD_LIMIT
        and _PLAIN.fullmatch(name) is not None
        and not _FRAGILE & set(name)
        and not name.startswith(("-", "{"))
        and not looks_like_uuid(name)
        and _ID.fullmatch(name) is None
    )


def looks_like_uuid(text: str) -> bool:
    """Whether libvirt would read ``text`` as a UUID."""
    return _UUID.fullmatch(text) is not None


def domains_named(text: str, domains: Iterable[N]) -> tuple[N, ...]:
    """The domains that the typed ``text`` names exactly: by raw name, or by UUID in lower or
    upper case. There are two if one domain's name is another's UUID; a UUID in braces is never
    taken for a name."""
    in_braces = _IN_BRACES.fullmatch(text)
    if in_braces is not None:
        return domains_with_uuid(in_braces[1], domains)
    uuid = text.lower()
    return tuple(d for d in domains if d.raw_name == text or (d.uuid and d.uuid == uuid))


def domains_with_uuid(uuid: str, domains: Iterable[N]) -> tuple[N, ...]:
    """The domain with that UUID, if there is one."""
    uuid = uuid.lower()
    return tuple(d for d in domains if uuid and d.uuid == uuid)
