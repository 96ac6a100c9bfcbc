"""What checks look at: readings taken for them, and not those of a moment ago."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.model import DeviceUses, Guests, Holders, HostView, Readiness, Unavailable
from tui.rules.libvirt_uri import SYSTEM, SYSTEM_BY_SOCKET


@dataclass(frozen=True, slots=True)
class CheckInput:
    """All of it read after the user asked. Domains of another libvirt than the system's tell
    nothing of who has a card. ``uses`` tells what hangs on the guests' devices."""

    view: HostView
    guests: Guests | Unavailable
    holders: Holders | Unavailable
    readiness: Readiness
    uses: DeviceUses = field(default_factory=DeviceUses)

    @property
    def readonly(self) -> bool:
        """Whether libvirt lets nobody act through this connection."""
        return isinstance(self.guests, Guests) and self.guests.readonly

    @property
    def local_guests(self) -> Guests | Unavailable:
        return local_guests(self.guests)


def local_guests(guests: Guests | Unavailable) -> Guests | Unavailable:
    """The domains that may have devices of this machine."""
    if isinstance(guests, Unavailable) or guests.captured:
        return guests
    if guests.uri not in (SYSTEM, SYSTEM_BY_SOCKET):
        return Unavailable(f"{guests.uri} does not know who has the devices here")
    return guests
