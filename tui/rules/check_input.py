"""The input of checks: readings taken for them, after the user asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from tui.model import (
    NOT_READ_YET,
    DeviceUses,
    FileFacts,
    Guests,
    Holders,
    HostMemory,
    HostView,
    Readiness,
    SourceName,
    Unavailable,
)
from tui.rules.libvirt_uri import (
    NOT_THE_SYSTEMS,
    SYSTEM,
    SYSTEM_BY_SOCKET,
    why_not_this_host,
)


class CheckInput(Struct, frozen=True):
    """Fresh readings for checks. ``uses`` is what the host uses the guests' devices for;
    ``read_at`` is when each source was read. ``files`` are those that definitions name, by path."""

    view: HostView
    guests: Guests | Unavailable
    holders: Holders | Unavailable
    readiness: Readiness
    uses: DeviceUses = field(default_factory=DeviceUses)
    read_at: Mapping[SourceName, datetime] = field(default_factory=dict)
    memory: HostMemory | Unavailable = NOT_READ_YET
    files: Mapping[str, FileFacts] = field(default_factory=dict)

    @property
    def readonly(self) -> bool:
        """Whether the libvirt connection is read-only."""
        return isinstance(self.guests, Guests) and self.guests.readonly

    @property
    def guests_here(self) -> bool:
        """Whether the domains are on this machine, and start with its memory and files."""
        return not isinstance(self.guests, Guests) or why_not_this_host(self.guests.uri) is None

    @property
    def local_guests(self) -> Guests | Unavailable:
        """The domains that may have devices of this machine."""
        return local_guests(self.guests)


def local_guests(guests: Guests | Unavailable) -> Guests | Unavailable:
    """The domains that may have devices of this machine: those of the system's libvirt. Another
    libvirt says nothing about who has a card here."""
    if isinstance(guests, Unavailable) or guests.captured:
        return guests
    if guests.uri not in (SYSTEM, SYSTEM_BY_SOCKET):
        return Unavailable(f"{guests.uri} {NOT_THE_SYSTEMS}")
    return guests
