"""What names a domain: to whoever types it, and in a command that is shown to be copied.

A domain is its UUID. libvirt keeps its name unique too, but two names may look the same, and
virsh takes some names for something else. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Protocol, TypeVar

WORD_LIMIT = 64
"""Characters of a name in a command; a longer one is cut where it is drawn."""

_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
"""Printable ASCII with single blanks inside: what looks like it is, and survives wrapping."""

_FRAGILE = frozenset("'\"`\\!")
"""What ends a quotation in some shell, or in the sentence around the command."""

_ID = re.compile(r"[+-]?[0-9]+")
"""virsh takes a number for the id of a running domain, as strtol(3) reads it."""

_UUID = re.compile(r"\{?(?:[0-9a-fA-F]-?){32}\}?")
"""virsh and libvirt take it for a UUID, with or without its dashes (virUUIDParse)."""

_IN_BRACES = re.compile(r"\{([^{}]*)\}")


class Named(Protocol):
    """A domain, as far as names go."""

    @property
    def raw_name(self) -> str: ...
    @property
    def uuid(self) -> str: ...


N = TypeVar("N", bound=Named)


def shell_word(name: str, uuid: str) -> str:
    """One word of a shell command that means the domain and no other, to virsh and to
    vfiotop: its raw ``name``, quoted where that is needed, or its UUID where the name could be
    mistaken, by a reader, a shell or virsh."""
    return shlex.quote(name if _speaks_for_itself(name) else uuid)


def _speaks_for_itself(name: str) -> bool:
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
    """The domains that ``text``, which somebody typed, names exactly: by raw name, or by UUID
    in lower or upper case. More than one where a domain is called like another's UUID; the
    UUID in braces is never taken for a name."""
    in_braces = _IN_BRACES.fullmatch(text)
    if in_braces is not None:
        return domains_with_uuid(in_braces[1], domains)
    uuid = text.lower()
    return tuple(d for d in domains if d.raw_name == text or (d.uuid and d.uuid == uuid))


def domains_with_uuid(uuid: str, domains: Iterable[N]) -> tuple[N, ...]:
    """The domain with that UUID, if it is there."""
    uuid = uuid.lower()
    return tuple(d for d in domains if uuid and d.uuid == uuid)
